"""What alerts have cost each organisation, kept over a restart of the analyzer: one small file, replaced as a whole."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
import structlog

from foregate.app.paths import write_private
from foregate.predict.alerts import Counts

KEEP_EVERY_S: Final = 600.0  # what a crash may cost of what was counted
FILE_BYTES_MAX: Final = 16_777_216
_decode = msgspec.json.Decoder(dict[str, Counts]).decode


class FalseAlarmFile:
    """`path` is made when something is kept. A damaged file is said and left out: counting begins anew."""

    def __init__(self, path: Path, log: structlog.typing.FilteringBoundLogger) -> None:
        self._path, self._log = path, log
        self._kept_at_s = 0.0

    def read(self) -> Mapping[str, Counts]:
        """By organisation; empty where nothing was kept. Raises OSError when the file is there and cannot be read."""
        try:
            with self._path.open("rb") as file:
                return _decode(file.read(FILE_BYTES_MAX))
        except FileNotFoundError:
            return {}
        except msgspec.DecodeError as error:
            effect = "thresholds of alerts begin at what the model was measured on"
            self._log.error("false_alarms_damaged", path=str(self._path), error=str(error), effect=effect)
            return {}

    def keep(self, counts: Mapping[str, Counts], now_s: float, *, at_once: bool = False) -> None:
        """Write them, once in `KEEP_EVERY_S` unless `at_once`. Raises OSError; the next call tries again."""
        if not counts or (not at_once and 0.0 <= now_s - self._kept_at_s < KEEP_EVERY_S):
            return
        write_private(self._path, msgspec.json.encode(counts).decode(), durable=False)
        self._kept_at_s = now_s
