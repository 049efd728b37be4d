"""What was used lately: a table that forgets."""

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Lately(Generic[K, V]):
    """Holds at most `size` values (2 at least), for sure the `size` // 2 that were used last; others are forgotten.

    Two halves: when the younger one is full it becomes the older one, whose values come back when they are asked for.
    So a hit costs a look into a dict, and nothing is moved for it: who is in a hurry looks into `younger` first.
    """

    __slots__ = ("_half", "_older", "younger")

    def __init__(self, size: int) -> None:
        self._half = max(1, size // 2)
        self.younger: dict[K, V] = {}
        self._older: dict[K, V] = {}

    def __len__(self) -> int:
        return len(self.younger) + len(self._older)

    def get(self, key: K) -> V | None:
        """The value, or None."""
        found = self.younger.get(key)
        if found is None and (found := self._older.pop(key, None)) is not None:
            self.put(key, found)
        return found

    def put(self, key: K, value: V) -> None:
        """Remember it."""
        if len(self.younger) >= self._half:
            self._older, self.younger = self.younger, {}
        self.younger[key] = value
