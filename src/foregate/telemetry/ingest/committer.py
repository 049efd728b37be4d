"""The group commit: one thread has everything that waits stored in one durable step, then all are told at once.

While one step is under way the next posts gather, so a slow disk makes the rounds larger, not the queue longer than its
bounds: those are kept by whoever submits (`Budget`).
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import NamedTuple

from foregate.kernel.clock import Clock
from foregate.ports.bus import Bus
from foregate.telemetry.ingest.rounds import Outcome, Post, Producer, appends_of

_ROUND_BYTES_MAX = 8_388_608  # of one durable step; what is beyond waits for the next, so that nobody waits for long
_ROUND_POSTS_MAX = 5_000
_SAID_EVERY_S = 10.0  # a failure that lasts is logged so often
_REOPEN_S = 1.0  # between attempts to open the bus while nobody sends anything
_FAILING_S = 5.0  # after a failure we are not ready for so long; then somebody may try

Log = Callable[[str, dict[str, object]], None]


class Round(NamedTuple):
    """What became of the posts of one round, and how many seconds the bus took (of a failure: -1)."""

    settled: list[tuple[Post, Outcome]]
    seconds: float


class Committer:
    """`submit` and `Round`s are of the loop's thread; the bus is opened and used in the thread that `start` begins.

    `open_bus` may raise OSError: it is asked again for the next round, and until then posts fail. `deliver` is called
    in the committer's thread with every round: it has to hand it over to the loop. `refuse()` says in a sentence why
    nothing may be stored now (a disk that is nearly full), else "". `producer` names this process as no other was ever
    named.
    """

    def __init__(
        self,
        open_bus: Callable[[], Bus],
        deliver: Callable[[Round], None],
        clock: Clock,
        log: Log,
        *,
        producer: str,
        batch_items: int,
        refuse: Callable[[], str] = lambda: "",
    ) -> None:
        self._open_bus = open_bus
        self._deliver = deliver
        self._clock = clock
        self._log = log
        self._producer = Producer(producer)
        self._batch_items = batch_items
        self._refuse = refuse
        self._queue: queue.SimpleQueue[Post | None] = queue.SimpleQueue()
        self._later: list[Post] = []
        self._bus: Bus | None = None
        self._stopping = False
        self._say_again_s = 0.0
        self._thread = threading.Thread(target=self._run, name="commit", daemon=True)
        self._failed_s = float("-inf")

    @property
    def ready(self) -> bool:
        """The bus is open, and has not just failed."""
        return self._bus is not None and self._clock.monotonic() - self._failed_s >= _FAILING_S

    def start(self) -> None:
        self._thread.start()

    def submit(self, post: Post) -> None:
        """Have it stored. It is settled by one of the next rounds."""
        self._queue.put(post)

    def stop(self) -> None:
        """Store what was submitted, then close the bus. Blocks until that is done."""
        self._queue.put(None)
        self._thread.join()

    # --- in the thread ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping:
            self._reach()
            posts = self._gather()
            if posts:
                self._deliver(self._commit(posts))
        if self._bus is not None:
            self._bus.close()

    def _reach(self) -> Bus | None:
        """The bus; None while it cannot be opened."""
        if self._bus is None:
            try:
                self._bus = self._open_bus()
            except Exception as error:  # noqa: BLE001 - of whatever kind: this is the thread that all wait for
                self._failed(error)
        return self._bus

    def _gather(self) -> list[Post]:
        """All that waits, within a round's bounds; of posts with the same id one. Blocks while there is nothing."""
        waiting, self._later = self._later, []
        posts: list[Post] = []
        ids: set[str] = set()
        size = 0
        while size < _ROUND_BYTES_MAX and len(posts) < _ROUND_POSTS_MAX:
            if waiting:
                post: Post | None = waiting.pop(0)
            else:
                try:
                    post = self._queue.get(not (posts or self._later), None if self._bus is not None else _REOPEN_S)
                except queue.Empty:
                    break
            if post is None:
                self._end_soon(bool(posts or waiting or self._later))
                break
            if post.once and post.once in ids:
                self._later.append(post)
                if len(self._later) >= _ROUND_POSTS_MAX:
                    break
                continue
            ids.add(post.once)
            posts.append(post)
            size += post.size
        self._later += waiting
        return posts

    def _end_soon(self, unfinished: bool) -> None:
        """Nothing more is submitted; what is left takes another round or two."""
        if unfinished or not self._queue.empty():
            self._queue.put(None)
        else:
            self._stopping = True

    def _commit(self, posts: list[Post]) -> Round:
        try:
            if not (reason := self._refuse()):
                return self._store(posts)
            outcome = Outcome("storage_full", detail=reason)
        except OSError as error:
            self._failed(error)
            outcome = Outcome("bus_unavailable", detail=error.strerror or "")
        except Exception as error:  # noqa: BLE001 - a mistake of ours must not end the thread that all wait for
            self._log("commit_failed", {"error": repr(error), "posts": len(posts)})
            outcome = Outcome("internal")
        return Round([(post, outcome) for post in posts], -1.0)

    def _store(self, posts: list[Post]) -> Round:
        bus = self._reach()
        if bus is None:
            return Round([(post, Outcome("bus_unavailable")) for post in posts], -1.0)
        appends, told = appends_of(posts, bus.partitions, self._batch_items, self._producer)
        began_s = self._clock.monotonic()
        new = bus.append_all(appends)
        seconds = self._clock.monotonic() - began_s
        self._failed_s = float("-inf")
        settled = [(post, Outcome("", at < 0 or new[at])) for post, at in zip(posts, told, strict=True)]
        return Round(settled, seconds)

    def _failed(self, error: Exception) -> None:
        self._failed_s = now_s = self._clock.monotonic()
        if now_s >= self._say_again_s:
            self._say_again_s = now_s + _SAID_EVERY_S
            self._log("commit_failed", {"error": str(error)})
