"""New versions of services, as their spans say them (OpenTelemetry's service.version). Pure."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from foregate.wire.span import Span

ATTRIBUTE: Final = "service.version"
REMEMBERED_S: Final = 3_600.0  # a version that was not seen for so long is new again: somebody went back to it
LATE_S: Final = 60.0  # spans come in no order; one that is older than the newest by more begins nothing new
SERVICES_MAX: Final = 10_000  # that are watched; further ones are not
VERSIONS_MAX: Final = 16  # of one service within `REMEMBERED_S`: further ones are no versions, but say something else
VERSION_CHARS_MAX: Final = 200


class NewVersion(NamedTuple):
    """`time_s`: Unix seconds of the first span that has it."""

    time_s: float
    org: str
    environment: str
    service: str
    version: str


class Versions:
    """The first version of a service that is seen is no new one: nobody knows since when it runs."""

    def __init__(self) -> None:
        self._last_s: dict[tuple[str, str, str], dict[str, float]] = {}

    def learn(self, spans: Iterable[Span]) -> list[NewVersion]:
        """Those that begin in these spans."""
        found = []
        for span in spans:
            version = span.attributes.get(ATTRIBUTE, "")[:VERSION_CHARS_MAX]
            if version and self._is_new(span, version):
                found.append(
                    NewVersion(span.start_ns / 1e9, span.org, span.environment, span.service, version),
                )
        return found

    def _is_new(self, span: Span, version: str) -> bool:
        key, time_s = (span.org, span.environment, span.service), span.start_ns / 1e9
        known = self._last_s.get(key)
        if known is None:
            if len(self._last_s) < SERVICES_MAX:
                self._last_s[key] = {version: time_s}
            return False
        last_s = known.get(version)
        if last_s is not None and time_s - last_s <= REMEMBERED_S:
            known[version] = max(last_s, time_s)
            return False
        newest_s = max(known.values())
        goes_on = last_s == newest_s  # after a silence the same one as before it
        if last_s is None and len(known) >= VERSIONS_MAX:
            oldest = min(known, key=known.__getitem__)
            if time_s - known[oldest] <= REMEMBERED_S:
                return False
            del known[oldest]
        known[version] = max(time_s, last_s or time_s)
        return not goes_on and time_s >= newest_s - LATE_S
