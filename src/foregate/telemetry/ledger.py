"""Adding up what events say of models: by hour, key, service and model."""

from collections import Counter
from collections.abc import Iterable

from foregate.wire.event import RequestEvent
from foregate.wire.usage import HOUR_S, Usage, UsageKey, UsageSums

MODELS_MAX = (
    100  # of one key in one hour; what comes beyond is added up under the model OTHERS, for the key alone: many
)
# servers say they are whichever model they were asked for, so that one client could use up the rows of all others
ROWS_MAX = 20_000  # of one hour, of all keys; what comes beyond is added up under OTHERS and no key
OTHERS = "(others)"
TOKENS_MAX = 1 << 32  # of one request; a sender that says more has not counted them, and sums must fit the store
_TIME_S_MAX = 1e11
_HOURS_KNOWN = 3  # whose rows are remembered for that bound; events are not later than that, but for a backlog


class _Known:
    """The rows of an hour: how many there are of each key."""

    def __init__(self) -> None:
        self.rows: set[UsageKey] = set()
        self.of_key: Counter[str] = Counter()


class Ledger:
    """What is not stored yet. `drain` gives it to whoever stores it."""

    def __init__(self) -> None:
        self._rows: dict[UsageKey, UsageSums] = {}
        self._known: dict[int, _Known] = {}  # hour → its rows so far, as far as this process knows

    def add(self, events: Iterable[RequestEvent]) -> None:
        """Requests that used nothing (refused, failed, answered from the cache) leave nothing."""
        for event in events:
            said = event.ai
            if said is None or not (said.input_tokens or said.output_tokens):
                continue
            if not 0.0 <= event.time_s < _TIME_S_MAX:
                continue  # the windows count it as invalid
            key = self._key(int(event.time_s) // HOUR_S * HOUR_S, _key_id(event), said.provider, said.answered_by)
            read, written, cached = said.input_tokens, said.output_tokens, said.cached_tokens
            tokens = min(read, TOKENS_MAX), min(written, TOKENS_MAX), min(cached, TOKENS_MAX)
            self._rows.setdefault(key, UsageSums()).add(UsageSums(1, int(said.estimated), *tokens, said.cost))

    def drain(self) -> list[Usage]:
        """All of it; from now on it begins at nothing."""
        rows, self._rows = self._rows, {}
        return [Usage(key, sums) for key, sums in rows.items()]

    def _key(self, hour_s: int, key_id: str, service: str, model: str) -> UsageKey:
        key = UsageKey(hour_s, key_id, service, model)
        known = self._known.get(hour_s)
        if known is None:
            if len(self._known) >= _HOURS_KNOWN:
                del self._known[min(self._known)]
            known = self._known[hour_s] = _Known()
        if key not in known.rows and known.of_key[key_id] >= MODELS_MAX:
            key = UsageKey(hour_s, key_id, service, OTHERS)
        if key not in known.rows:
            if len(known.rows) >= ROWS_MAX:
                return UsageKey(hour_s, "", OTHERS, OTHERS)
            known.rows.add(key)
            known.of_key[key_id] += 1
        return key


def _key_id(event: RequestEvent) -> str:
    """What others tell of their keys is never added to a key of ours, whatever they call it."""
    return event.key_id if event.source == "gateway" else f"{event.org}/{event.key_id}"
