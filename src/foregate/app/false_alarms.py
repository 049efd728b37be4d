"""What alerts have cost each organisation, kept over a restart of the analyzer: one small file, replaced as a whole."""

from pathlib import Path
from typing import Final

import msgspec
import structlog

from foregate.app.paths import write_private
from foregate.predict.alerts import Counts, Kept

KEEP_EVERY_S: Final = 600.0  # what a crash may cost of what was counted
FILE_BYTES_MAX: Final = 67_108_864  # of 2,000 organisations with two models each: some 9 MB
_decode_file = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_counts = msgspec.json.Decoder(tuple[Counts, ...]).decode
_EFFECT: Final = "thresholds of alerts begin at what the model was measured on"


class FalseAlarmFile:
    """`path` is made when something is kept. What is damaged is said and left out: counting begins anew."""

    def __init__(self, path: Path, log: structlog.typing.FilteringBoundLogger) -> None:
        self._path, self._log = path, log
        self._kept_at_s = 0.0

    def read(self) -> Kept:
        """By organisation; empty where nothing was kept. Raises OSError when the file is there and cannot be read."""
        try:
            with self._path.open("rb") as file:
                found = _decode_file(file.read(FILE_BYTES_MAX))
        except FileNotFoundError:
            return {}
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self._log.error("false_alarms_damaged", path=str(self._path), error=str(error), effect=_EFFECT)
            return {}
        kept: dict[str, tuple[Counts, ...]] = {}
        for org, counts in found.items():
            try:
                kept[org] = _decode_counts(counts)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                self._log.error("false_alarms_damaged", path=str(self._path), org=org, error=str(error), effect=_EFFECT)
        return kept

    def keep(self, counts: Kept, now_s: float, *, at_once: bool = False) -> None:
        """Write them, once in `KEEP_EVERY_S` unless `at_once`. Raises OSError; the next call tries again."""
        if not counts or (not at_once and 0.0 <= now_s - self._kept_at_s < KEEP_EVERY_S):
            return
        write_private(self._path, msgspec.json.encode(counts).decode(), durable=False)
        self._kept_at_s = now_s
