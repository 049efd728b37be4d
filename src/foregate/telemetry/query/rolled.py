"""Which questions windows can answer, and for which routes."""

from collections.abc import Sequence

from foregate.telemetry.query.cells import OF_LATENCY
from foregate.wire.ask import ROLLED_UP, Ask, Filter, Measure
from foregate.wire.entity import Entity

OF_CLASSES: frozenset[Measure] = frozenset({"requests", "rps", *OF_LATENCY})  # what is kept per status class
OF_KEYS: frozenset[Measure] = frozenset({"requests", "rps"})  # what is kept per key
_TEXT = frozenset({"eq", "ne", "in", "not_in", "prefix", "contains"})
OF_TOTALS = frozenset({"org", "environment"})  # what windows of all routes together can still be told apart by


def why_raw(ask: Ask) -> str:
    """Why the windows cannot answer this; "" when they can."""
    wanted = frozenset({*ask.measures, ask.order})
    beyond = [name for name in ask.group_by if name not in ROLLED_UP]
    if beyond and tuple(ask.group_by) != ("key_id",):
        return f"requests by {beyond[0]} are not in the windows"
    for one in ask.filters:
        if one.field not in ROLLED_UP:
            return f"{one.field} is not in the windows"
        if one.op not in _TEXT:
            return f"{one.op} is for numbers of single events"
    kept = OF_KEYS if beyond else OF_CLASSES if by_class(ask) else None
    missing = sorted(wanted - kept) if kept is not None else []
    if "keys" in wanted or missing:
        return f"{missing[0] if missing else 'keys'} is not in the windows" + (" by itself" if missing else "")
    if beyond and any(one.field == "status_class" for one in ask.filters):
        return "keys are not in the windows by status"
    return ""


def by_class(ask: Ask) -> bool:
    """Whether the status classes have to be told apart."""
    return "status_class" in ask.group_by or any(one.field == "status_class" for one in ask.filters)


def of_all_routes(ask: Ask) -> bool:
    """Whether windows of all routes together answer it."""
    named = {*ask.group_by, *(one.field for one in ask.filters)} - {"status_class", "key_id"}
    return named <= OF_TOTALS


def chosen(entities: Sequence[Entity], filters: Sequence[Filter]) -> list[Entity]:
    """Those that the filters leave; filters by status class say nothing about them."""
    of_entities = [one for one in filters if one.field != "status_class"]
    if not of_entities:
        return list(entities)
    return [one for one in entities if all(holds(given, getattr(one, given.field)) for given in of_entities)]


def holds(given: Filter, value: str) -> bool:
    """Whether a text passes a filter."""
    match given.op:
        case "eq" | "in":
            return value in given.values
        case "ne" | "not_in":
            return value not in given.values
        case "prefix":
            return value.startswith(given.values[0])
        case "contains":
            return given.values[0] in value
    return False
