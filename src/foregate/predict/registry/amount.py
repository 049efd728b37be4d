"""Whether an organisation's traffic holds enough to learn from, and how far it is from that."""

from typing import Final, NamedTuple


class Amount(NamedTuple):
    """`days` of recorded minutes, `failures` in them, and `apis` that had any traffic."""

    days: float
    failures: int
    apis: int


# Below these a judgement on the last part of the traffic would be chance: with 20 failures about 6 fall into it. Two
# weeks hold every weekday twice, once to learn it and once to be judged on it.
ENOUGH: Final = Amount(days=14.0, failures=20, apis=3)


def missing(has: Amount, needs: Amount = ENOUGH) -> str | None:
    """What is not there yet, e.g. "learning: 3 of 14 days, 2 of 20 failures"; None when there is enough."""
    lacks = []
    if has.days < needs.days:
        lacks.append(f"{_floor(has.days)} of {needs.days:g} days")
    if has.failures < needs.failures:
        lacks.append(f"{has.failures} of {needs.failures} failures")
    if has.apis < needs.apis:
        lacks.append(f"{has.apis} of {needs.apis} APIs")
    return "learning: " + ", ".join(lacks) if lacks else None


def _floor(days: float) -> str:
    """13.96 days are not 14 yet."""
    return f"{int(days * 10) / 10:g}"
