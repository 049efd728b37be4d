"""What a worker may hold of bodies that a policy must read whole: one budget for all requests under way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foregate.gateway import layout

if TYPE_CHECKING:
    from foregate.gateway.request import Request
    from foregate.ports.blocks import Cells


class HeldBodies:
    """At most `bytes_max` bytes; who would go beyond it gets nothing, and is counted in `cells` (the worker's own)."""

    __slots__ = ("_bytes_max", "_cells", "held")

    def __init__(self, bytes_max: int, cells: Cells) -> None:
        self._bytes_max = bytes_max
        self._cells = cells
        self.held = 0

    def take(self, size: int) -> bool:
        """Whether there is room for `size` bytes more; then they are taken."""
        if self.held + size > self._bytes_max:
            self._cells[layout.HELD_REFUSED] += 1.0
            return False
        self.held += size
        self._cells[layout.HELD_BYTES] = self.held
        return True

    def spare(self, size: int) -> bool:
        """`take` for who can do without: while less than half is taken, so that the others find room."""
        return self.held + size <= self._bytes_max // 2 and self.take(size)

    def give(self, size: int) -> None:
        """They are not held any more."""
        self.held -= size
        self._cells[layout.HELD_BYTES] = self.held


class Share:
    """What one request has of it. It does not know the request: a body must not wait for the collector of cycles."""

    __slots__ = ("_bodies", "_size")

    def __init__(self, bodies: HeldBodies) -> None:
        self._bodies = bodies
        self._size = 0

    def grow(self, size: int) -> bool:
        """Hold `size` bytes in all, if there is room for what is new of them."""
        if not self._bodies.take(size - self._size):
            return False
        self._size = size
        return True

    def end(self, request: Request) -> None:
        """The request is over, in whatever way: for `Request.ends`."""
        self._bodies.give(self._size)
        self._size = 0
