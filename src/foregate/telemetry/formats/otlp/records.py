"""Log records of OTLP → `wire.log.LogRecord`."""

from __future__ import annotations

from typing import Any, Final

from foregate.telemetry.formats.items import TEXT_CHARS_MAX, TIME_S_MIN, id_of
from foregate.telemetry.formats.options import Options
from foregate.telemetry.formats.otlp.values import attributes_of, bounded, text_of
from foregate.telemetry.formats.parsed import Parsed, Sender
from foregate.telemetry.identity.conventions import SPAN, Origin, first
from foregate.wire.event import Source
from foregate.wire.log import LogRecord

BODY_CHARS_MAX: Final = 8_192  # the rest is cut off
_SEVERITIES: Final = {"trace": 1, "debug": 5, "info": 9, "information": 9, "notice": 10, "warn": 13, "warning": 13}
_SEVERITIES_HIGH: Final = {
    "error": 17,
    "err": 17,
    "critical": 18,
    "alert": 19,
    "fatal": 21,
    "emergency": 21,
    "panic": 21,
}
_OF_TEXT: Final = _SEVERITIES | _SEVERITIES_HIGH
_S_NS: Final = 1_000_000_000


class LogReader:
    """One body's records, to `into`. `index` counts them, good or not."""

    def __init__(self, sender: Sender, options: Options, into: Parsed) -> None:
        self._sender = sender
        self._into = into
        self._source: Source = "otlp" if sender.source == "telemetry" else sender.source
        self._earliest_ns = int(TIME_S_MIN) * _S_NS
        self._latest_ns = int((sender.received_s + options.ahead_s_max) * _S_NS)
        self.index = 0

    def refuse(self, reason: str) -> None:
        self._into.reject("logs", self.index, reason)
        self.index += 1

    def take(self, origin: Origin, said: Any) -> None:
        """`said`: a LogRecord of protobuf or of JSON. Without a time of its own it has that of its observation."""
        time_ns = said.time_unix_nano or said.observed_time_unix_nano or int(self._sender.received_s * _S_NS)
        if not self._earliest_ns <= time_ns <= self._latest_ns:
            self.refuse("Its time lies before the year 2000." if time_ns < self._earliest_ns else "It lies ahead.")
            return
        attributes = attributes_of(said.attributes)
        if origin.kept:
            attributes = {**origin.kept, **attributes}
        body = said.body.string_value or text_of(said.body, BODY_CHARS_MAX)
        self._into.logs.append(
            LogRecord(
                self._sender.org,
                origin.environment,
                origin.service,
                time_ns,
                _severity(said.severity_number, said.severity_text),
                bounded(body, BODY_CHARS_MAX),
                id_of(said.trace_id, 32),
                id_of(said.span_id, 16),
                first(attributes, SPAN["request_id"])[:TEXT_CHARS_MAX],
                first(attributes, SPAN["key_id"])[:TEXT_CHARS_MAX],
                origin.region,
                origin.cloud,
                origin.instance,
                self._source,
                attributes,
            )
        )
        self.index += 1


def _severity(number: int | str, text: str) -> int:
    """1 to 24; by its text where there is no number; 0: unknown."""
    if isinstance(number, str):  # as JSON may name it: SEVERITY_NUMBER_ERROR2
        name = number.removeprefix("SEVERITY_NUMBER_").lower()
        base = _OF_TEXT.get(name.rstrip("234"), 0)
        return base + int(name[-1]) - 1 if base and name[-1:] in ("2", "3", "4") else base
    if 1 <= number <= 24:
        return number
    return _OF_TEXT.get(text.strip().lower()[:16], 0)
