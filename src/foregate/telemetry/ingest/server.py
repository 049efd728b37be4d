"""The listening side of an ingest process: HTTP/1.1 and HTTP/2 on every socket, by the gateway's engine."""

import asyncio
import socket
from collections.abc import Callable, Sequence

from foregate.http1.accept import Acceptor
from foregate.http1.context import Connected, ServerContext
from foregate.http1.deadlines import Deadlines
from foregate.http2.server import take_over
from foregate.kernel.clock import Clock
from foregate.kernel.limits import INGEST_POST_ITEMS_MAX
from foregate.ports.blocks import Blocks
from foregate.ports.bus import Bus
from foregate.telemetry.formats.options import Options
from foregate.telemetry.ingest.aside import Aside
from foregate.telemetry.ingest.committer import Committer, Log, Round
from foregate.telemetry.ingest.counts import Counts
from foregate.telemetry.ingest.intake import Intake
from foregate.telemetry.ingest.keys import Keys
from foregate.telemetry.ingest.page import page
from foregate.telemetry.ingest.reading import Reader
from foregate.wire.ingest import Ingest, IngestKey

_SWEEP_S = 0.25
_BODY_BYTES_PER_S_MIN = 4_096.0  # a slower body gets 408: what has come of it is held in memory all the while
_BODY_BYTES_UNBOUNDED = 1 << 40  # for the engine: posts are bounded here, and refused in the sender's own words


class IngestServer:
    """Takes posts in and has them stored. Made and used inside a running loop.

    `open_bus` may raise OSError; it is tried again. `blocks` has a row for each process of `settings.workers`.
    `refuse()`: a sentence while nothing may be stored, else ""; it is asked for every post, in any thread.
    """

    def __init__(
        self,
        settings: Ingest,
        *,
        open_bus: Callable[[], Bus],
        blocks: Blocks,
        pepper: bytes,
        clock: Clock,
        log: Log,
        producer: str,
        connections_max: int,
        refuse: Callable[[], str] = lambda: "",
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._keys = Keys(blocks, pepper, clock)
        self._keys.apply(settings.keys)
        self._counts = Counts(blocks)
        self._committer = Committer(
            open_bus, self._deliver, clock, log, producer=producer, batch_items=settings.batch_items, refuse=refuse
        )
        items_max = min(settings.buffer_items_max, INGEST_POST_ITEMS_MAX)
        self._aside = Aside(self._loop)
        self._intake = Intake(
            settings,
            self._keys,
            self._counts,
            Reader(Options(items_max=items_max), settings.body_bytes_max, settings.batch_items, clock),
            self._aside,
            self._committer.submit,
            lambda: self._committer.ready,
            lambda: page(blocks),
            refuse,
            log,
        )
        self._intake.budget.shared = len(settings.keys) > 1
        self._clock = clock
        self._log = log
        self._connections_max = connections_max
        self._deadlines = Deadlines(clock, tick_s=_SWEEP_S)
        self._connections: set[Connected] = set()
        self._turned_away: set[Connected] = set()
        self._emptied = asyncio.Event()
        self._contexts: list[ServerContext] = []
        self._acceptors: list[Acceptor] = []
        self._committer.start()

    def listen(self, sock: socket.socket) -> None:
        """Begin to accept on `sock` (bound)."""
        context = ServerContext(
            self._intake.handle,
            self._clock,
            self._deadlines,
            refused=self._intake.refused,
            body_bytes_max=_BODY_BYTES_UNBOUNDED,
            body_bytes_per_s_min=_BODY_BYTES_PER_S_MIN,
            connections_max=self._connections_max,
            http2=take_over,
            connections=self._connections,
            turned_away=self._turned_away,
            emptied=self._emptied,
        )
        self._contexts.append(context)
        self._acceptors.append(Acceptor(sock, context, paused=self._accepting_paused))

    def apply(self, keys: Sequence[IngestKey]) -> None:
        """These keys are in force from now on; posts that have begun end by what held then."""
        self._keys.apply(keys)
        self._intake.budget.shared = len(keys) > 1

    async def close(self, timeout_s: float) -> None:
        """Accept nobody any more, let what is under way end, have stored what was taken."""
        self._intake.draining = True
        for acceptor in self._acceptors:
            acceptor.stop()
        await asyncio.gather(*(acceptor.settled() for acceptor in self._acceptors))
        await asyncio.gather(*(context.close(timeout_s) for context in self._contexts))
        self._aside.close()
        await asyncio.to_thread(self._committer.stop)
        self._deadlines.stop()

    def _deliver(self, done: Round) -> None:
        """Called in the committer's thread."""
        self._loop.call_soon_threadsafe(self._settle, done)

    def _settle(self, done: Round) -> None:
        if done.seconds >= 0.0:
            self._counts.flushed(done.seconds)
        for post, outcome in done.settled:
            try:
                post.settle(outcome)
            except Exception as error:  # noqa: BLE001 - the others of its round are owed their answers
                self._intake.failed(error)
        self._intake.budget.publish()

    def _accepting_paused(self, reason: str) -> None:
        self._log("accepting_paused", {"reason": reason, "connections": len(self._connections)})
