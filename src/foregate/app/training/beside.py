"""What is known of the past beside its traffic: who asks whom, and what was changed on purpose."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Final, NamedTuple

from foregate.adapters.embedded.changes import EmbeddedChanges
from foregate.app.paths import DataDir
from foregate.app.signals.calls import Calls, Edge
from foregate.app.signals.current import CurrentSnapshot
from foregate.app.signals.signals import own_apis
from foregate.ports.changes import CHANGES_MAX
from foregate.wire.change import Change
from foregate.wire.entity import Entity


class Beside(NamedTuple):
    """`calls`: at a time, the edges of the hour before. `changes`: of a range. `configured`: whether an entity is one
    of this gateway's own, as `Signals` tells them. All may raise OSError."""

    calls: Callable[[float], frozenset[Edge]]
    changes: Callable[[float, float], Sequence[Change]]
    configured: Callable[[Entity], bool]


NOTHING_BESIDE: Final = Beside(lambda now_s: frozenset(), lambda from_s, until_s: (), lambda entity: False)


@contextmanager
def open_beside(data: DataDir) -> Iterator[Beside]:
    """That of a data directory. Raises OSError."""
    snapshot = CurrentSnapshot(data.snapshot).read()
    configured = own_apis(snapshot) if snapshot is not None else lambda entity: False
    with closing(Calls(data.journeys)) as calls, closing(EmbeddedChanges(data.changes)) as changes:
        yield Beside(
            calls.read,
            lambda from_s, until_s: changes.between(from_s, until_s, CHANGES_MAX),
            configured,
        )
