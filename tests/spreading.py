"""An order for tests that several testers take turns at."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def spread(many: Sequence[T], few: Sequence[T]) -> list[T]:
    """All of both in their order, `few` at even distances among `many`: none of them at the very end."""
    apart = len(many) / (len(few) + 1)
    places = [(float(at), one) for at, one in enumerate(many)]
    places += [(number * apart - 0.5, one) for number, one in enumerate(few, start=1)]
    return [one for _, one in sorted(places, key=lambda place: place[0])]
