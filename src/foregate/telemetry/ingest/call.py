"""One post on its way: its body comes in, is read, waits to be stored, and is answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from foregate.kernel.errors import ForegateError
from foregate.telemetry.formats import Parsed
from foregate.telemetry.ingest import answers
from foregate.telemetry.ingest.budget import RETRY_S
from foregate.telemetry.ingest.endpoints import Endpoint
from foregate.telemetry.ingest.reading import Understood, kinds_in
from foregate.telemetry.ingest.rounds import Outcome, Part, Post
from foregate.wire.accounts import Kind

if TYPE_CHECKING:
    from foregate.telemetry.ingest.intake import Intake
    from foregate.telemetry.ingest.keys import Holder


class Call:
    """Keeps `http1.exchange.RequestReceiver`. What it holds is in the intake's budget until it is settled."""

    __slots__ = (
        "_chunks", "_endpoint", "_exchange", "_gone", "_held", "_history", "_holder", "_intake", "_items", "_json",
        "_over", "_reading", "_rejected",
    )  # fmt: skip

    def __init__(self, intake: Intake, exchange: Any, endpoint: Endpoint, history: bool, holder: Holder) -> None:
        self._intake = intake
        self._exchange = exchange
        self._chunks: list[bytes] = []
        self._held = 0  # bytes in the budget
        self._json = answers.wants_json(exchange.headers)
        self._over = False
        self._reading = self._gone = False  # beside the loop; the client has gone meanwhile
        self._items: dict[Kind, int] = {}  # that were submitted, and what of the post was not
        self._rejected: Parsed | None = None
        self._endpoint = endpoint
        self._history = history
        self._holder = holder
        intake.budget.move(holder.held, requests=1)

    # --- called by the engine --------------------------------------------------------------------------------

    def request_body(self, chunks: list[bytes], complete: bool) -> None:
        """More of the body."""
        if self._over or self._exchange.answered:
            return
        came = sum(map(len, chunks))
        intake = self._intake
        if self._held + came > intake.body_bytes_max:
            self.refuse("body_too_large", f"A post has {intake.body_bytes_max} bytes at most.")
        elif not intake.budget.has_bytes(self._holder.held, came):
            self.refuse("buffer_full", wait_s=RETRY_S)
        else:
            self._hold(came)
            self._chunks += chunks
            if complete:
                self._read()

    def request_aborted(self, code: str) -> None:
        """The client has gone, or was slow. What was submitted is stored all the same."""
        self._chunks = []
        if self._reading:
            self._gone = True  # what it holds is held until it is read
        elif self._rejected is None:
            self._end()

    def response_paused(self, paused: bool) -> None:
        """Answers are small: they wait in the connection."""

    # --- the way of a whole body -----------------------------------------------------------------------------

    def _read(self) -> None:
        """Understand it, here or aside, and then submit it, or refuse it."""
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks = []
        intake, told = self._intake, (self._endpoint, self._history, self._holder.key, self._exchange.headers, body)

        def quickly() -> Understood | None:
            found = intake.reader.quickly(*told)
            if found is None:
                self._reading = True
                intake.aside.run(self._holder.key.id, lambda: intake.reader.read(*told), self._was_read)
            return found

        self._take(quickly)

    def _was_read(self, result: Callable[[], Understood]) -> None:
        """`result()` gives it, or raises why not."""
        self._reading = False
        if self._gone:
            self._end()
        else:
            self._take(result)

    def _take(self, result: Callable[[], Understood | None]) -> None:
        try:
            found = result()
            if found is not None:
                self._admit(*found)
        except ForegateError as error:
            self.refuse(error.spec.code, error.detail)
        except Exception as error:  # noqa: BLE001 - a mistake of ours costs this post alone, and is said
            self._intake.failed(error)
            self.refuse("internal")

    def _admit(self, parsed: Parsed, once: str, parts: Sequence[Part]) -> None:
        """The last bounds: items that wait, and items that this key may send."""
        items = parsed.items
        intake = self._intake
        if not items:
            self._nothing(parsed)
        elif items > intake.items_max:
            self._shed(parsed, "body_too_large", 0.0, f"A post has {intake.items_max} items at most.")
        elif not intake.budget.has_items(items):
            self._shed(parsed, "buffer_full", RETRY_S)
        elif (wait_s := self._holder.wait_s(items)) > 0.0:
            self._shed(parsed, "rate_limited", wait_s, f"This key may send {self._holder.key.items_per_s:g} items/s.")
        else:
            self._submit(parsed, once, parts)

    def _submit(self, parsed: Parsed, once: str, parts: Sequence[Part]) -> None:
        intake = self._intake
        size = sum([len(part.chunk) for part in parts])
        self._items = kinds_in(parsed)
        self._rejected = Parsed(rejected=parsed.rejected, invalid=parsed.invalid)
        self._holder.take(parsed.items)
        self._hold(size - self._held)
        intake.budget.move_items(parsed.items)
        intake.submit(Post(parts, once, size, self._settled))

    def _settled(self, outcome: Outcome) -> None:
        """The bus has spoken."""
        try:
            self._tell(outcome)
        finally:  # whatever happens here, nothing stays held, and nobody waits for ever
            if not self._exchange.answered:
                self._exchange.abort()
            self._end()

    def _tell(self, outcome: Outcome) -> None:
        rejected, exchange = self._rejected, self._exchange
        items = sum(self._items.values())
        self._intake.budget.move_items(-items)
        if outcome.code or not outcome.fresh:
            self._holder.give_back(items)
        self._count(outcome)
        if outcome.code:
            self._answer_error(outcome.code, outcome.detail, RETRY_S)
        elif rejected is not None and not exchange.answered:
            answers.accept(exchange, self._endpoint, self._json, rejected, items, outcome.fresh)

    def refuse(self, code: str, detail: str = "", wait_s: float = 0.0) -> None:
        """Answer with an error; nothing of it is stored."""
        self._answer_error(code, detail, wait_s)
        self._end()

    # --- ends ------------------------------------------------------------------------------------------------

    def _nothing(self, parsed: Parsed) -> None:
        """No item of it can be stored: all of them are invalid, or there are none."""
        self._count_invalid(parsed)
        if parsed.invalid and self._endpoint.dialect == "telemetry":
            self._answer_error("body_invalid", "Not one item of it is valid.", members=answers.rejections(parsed))
        else:
            answers.accept(self._exchange, self._endpoint, self._json, parsed, 0, True)
        self._end()

    def _shed(self, parsed: Parsed, code: str, wait_s: float, detail: str = "") -> None:
        self._count_invalid(parsed)
        for kind, items in kinds_in(parsed).items():
            self._intake.counts.shed(kind, items)
        self.refuse(code, detail, wait_s)

    def _count(self, outcome: Outcome) -> None:
        counts = self._intake.counts
        if self._rejected is not None:
            self._count_invalid(self._rejected)
        count = counts.shed if outcome.code else counts.stored if outcome.fresh else counts.duplicate
        for kind, items in self._items.items():
            count(kind, items)

    def _count_invalid(self, parsed: Parsed) -> None:
        for kind, items in parsed.invalid.items():
            self._intake.counts.invalid(kind, items)

    def _answer_error(
        self, code: str, detail: str = "", wait_s: float = 0.0, members: dict[str, Any] | None = None
    ) -> None:
        self._intake.counts.refused(code)
        self._holder.refused()
        if not self._exchange.answered:
            answers.refuse(self._exchange, self._endpoint, self._json, code, detail, wait_s, members)

    def _hold(self, more: int) -> None:
        self._held += more
        self._intake.budget.move(self._holder.held, held_bytes=more)

    def _end(self) -> None:
        """Give everything back, once."""
        if not self._over:
            self._over = True
            self._hold(-self._held)
            self._intake.budget.move(self._holder.held, requests=-1)
