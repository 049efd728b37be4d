"""Running a chain's steps, and doing what they say: go on, refuse, answer, wait, ask, read the body first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from foregate.gateway.answers import JSON, respond, respond_problem, retry_after_line
from foregate.gateway.forwarding.fallbacks import respond_fixed
from foregate.gateway.heads import status_line
from foregate.gateway.held_bodies import Share
from foregate.gateway.inner import Asking
from foregate.gateway.policies.policy import Answer, Ask, Handle, NeedBody, Refuse, Switch, Verdict, Wait
from foregate.gateway.record import Recorder
from foregate.kernel.errors import ERRORS
from foregate.kernel.limits import REPLAY_BODY_BYTES_MAX
from foregate.kernel.tasks import spawn

if TYPE_CHECKING:
    from foregate.gateway.failure_log import FailureLog
    from foregate.gateway.held_bodies import HeldBodies
    from foregate.gateway.request import Request


class Admission:
    """`forward(request)` is called for each request that all steps have let pass. `bodies`: what steps have read."""

    __slots__ = ("_asking", "_failures", "_forward", "_monotonic", "_recorder", "bodies")

    def __init__(
        self, recorder: Recorder, forward: Callable[[Request], None], failures: FailureLog, bodies: HeldBodies
    ) -> None:
        self.bodies = bodies
        self._recorder = recorder
        self._monotonic = recorder.clock.monotonic
        self._forward = forward
        self._failures = failures
        self._asking = Asking(self, recorder, recorder.clock)

    def run(self, request: Request) -> None:
        """Ask every step in turn: the ordinary case, in which nobody objects."""
        steps = request.chain.steps
        try:
            for step in steps:
                verdict = step(request)
                if verdict is not None:
                    break
            else:
                verdict = None
        except Exception as error:  # noqa: BLE001 - whatever a policy does, the request gets its answer
            request.step = steps.index(step)
            self.failed(request, error)
            return
        if verdict is None:
            self._send_on(request)
        else:
            request.step = steps.index(step)
            self._perform(request, verdict)

    def _send_on(self, request: Request) -> None:
        """All steps are content. What goes wrong from here on is our mistake, and must not leave a client waiting."""
        try:
            self._forward(request)
        except Exception as error:  # noqa: BLE001 - as above
            self._failures.failed("request_failed", error, route=request.route.name)
            if not request.exchange.head_sent:
                self.refuse(request, Refuse("internal"))
            else:
                request.exchange.abort()

    def resume(self, request: Request) -> None:
        """Go on at `request.step`."""
        steps = request.chain.steps
        while request.step < len(steps):
            try:
                verdict = steps[request.step](request)
            except Exception as error:  # noqa: BLE001 - as above
                self.failed(request, error)
                return
            if verdict is not None:
                self._perform(request, verdict)
                return
            request.step += 1
        self._send_on(request)

    def _perform(self, request: Request, verdict: Verdict) -> None:
        """Do what the step at `request.step` wants."""
        kind = type(verdict)
        if kind is Handle:
            self._hand_over(request, verdict)  # type: ignore[arg-type]
            return
        wrong = _wrong(verdict)
        if kind is NeedBody and request.body is not None:
            wrong = "it has the body, and asks for it"
        if wrong:
            self.failed(request, TypeError(wrong))
        elif kind is Refuse:
            self.refuse(request, verdict)  # type: ignore[arg-type]
        elif kind is Answer:
            self._answer(request, verdict)  # type: ignore[arg-type]
        elif kind is Switch:
            request.chain = verdict.chain  # type: ignore[union-attr]
            request.priority = request.chain.priority
            request.step += 1
            self.resume(request)
        elif kind is NeedBody and request.exchange.told_complete:
            self._take_in(request, verdict.bytes_max)  # type: ignore[union-attr]
        else:
            _Held(self, request, verdict)  # type: ignore[arg-type]

    def _take_in(self, request: Request, bytes_max: int) -> None:
        """The whole body has come with the head: there is nothing to wait for."""
        size = sum(map(len, request.chunks))
        if size > bytes_max:
            self.refuse(request, Refuse("body_too_large"))
            return
        share = Share(self.bodies)
        request.ends(share.end)
        if not share.grow(size):
            self.refuse(request, Refuse("overloaded", lines=_SOON))
            return
        request.body = b"".join(request.chunks)
        request.chunks = []
        request.now_s = self._monotonic()
        self.resume(request)

    def _hand_over(self, request: Request, verdict: Handle) -> None:
        """The policy answers by itself from here on."""
        try:
            verdict.begin(request, self._asking)
        except Exception as error:  # noqa: BLE001 - as above
            if request.exchange.head_sent:
                self._failures.failed("request_failed", error, route=request.route.name)
                if not request.status:  # it has left no event yet
                    self._recorder.finished(request, ERRORS["internal"].status, "internal", self._monotonic())
                request.exchange.abort()
            else:
                self.failed(request, error)

    def settled(self, request: Request, verdict: Verdict | None) -> None:
        """A step that had to think has its verdict."""
        request.now_s = self._monotonic()
        if verdict is None:
            request.step += 1
            self.resume(request)
        else:
            self._perform(request, verdict)

    def failed(self, request: Request, error: BaseException) -> None:
        """A step raised: our fault, or an extension's. The request is refused, never let through."""
        self.tell(request, error)
        self.refuse(request, Refuse("internal"))

    def tell(self, request: Request, error: BaseException) -> None:
        """Say in the log that a step raised, or what it has begun."""
        step = request.chain.names[request.step]
        self._failures.failed("policy_failed", error, policy=step, route=request.route.name)

    def too_late(self, request: Request, error: Exception | None = None) -> None:
        """A step has its verdict, or failed, although the client has left: what it took since then goes back."""
        if error is not None:
            self.tell(request, error)
        self._recorder.release(request)

    # --- answers without an upstream -------------------------------------------------------------------------

    def refuse(self, request: Request, refusal: Refuse) -> None:
        """Answer with a problem (or what the route has instead of one), and leave the event."""
        chain, code = request.chain, refusal.code
        request.stopped = "refused"
        now_s = self._monotonic()
        instead = chain.fallback
        if instead is not None and instead.body is not None and code in instead.on and request.protocol != "grpc":
            request.note("fallback:answer")
            self._recorder.finished(request, instead.status, code, now_s)
            respond_fixed(request, instead, chain.service.header_line if chain.service is not None else b"", now_s)
            return
        exchange = request.exchange
        lines = b"%s%s%sx-gateway-response-time: %.2f\r\n" % (
            chain.service.header_line if chain.service is not None else b"",
            request.answer_lines,
            refusal.lines,
            (now_s - request.started_s) * 1000.0,
        )
        if code == "body_too_large":
            exchange.close_after = True
        if chain.problems is not None:
            status, body = chain.problems(request, refusal)
            self._recorder.finished(request, status, code, now_s)
            respond(exchange, status, b"%sx-request-id: %s\r\n" % (lines, request.request_id.encode()), JSON, body)
        else:
            self._recorder.finished(request, ERRORS[code].status, code, now_s)
            respond_problem(exchange, code, request.request_id, lines, refusal.detail, refusal.members)
        exchange.flush()

    def _answer(self, request: Request, answer: Answer) -> None:
        request.stopped = "answered"
        exchange = request.exchange
        head = b"%s%s%sx-request-id: %s\r\n%s" % (
            status_line(answer.status),
            b"" if b"\r\ndate:" in b"\r\n" + answer.lines.lower() else exchange.date_line,
            request.answer_lines,
            request.request_id.encode(),
            answer.lines,
        )
        self._recorder.finished(request, answer.status, "", self._monotonic())
        exchange.send_head(answer.status, head, len(answer.body))
        exchange.write(answer.body)
        exchange.end()
        exchange.flush()

    def left(self, request: Request, code: str) -> None:
        """The client went away, or broke a bound, while a step was thinking."""
        self._recorder.finished(request, ERRORS[code].status, code, self._monotonic())


_SOON = retry_after_line(1.0)


def _wrong(verdict: object) -> str:
    """What no step may say; "" when it may. Policies of others are checked here, where it still can be mended."""
    if isinstance(verdict, Refuse):
        if verdict.code not in ERRORS:
            return f"there is no error code {verdict.code!r}"
        return "" if _are_lines(verdict.lines) and isinstance(verdict.detail, str) else _BAD_LINES
    if isinstance(verdict, Answer):
        if not _are_lines(verdict.lines):
            return _BAD_LINES
        fine = isinstance(verdict.body, bytes) and 200 <= verdict.status <= 599
        return "" if fine else "an Answer has a status of 200 to 599, and a body as bytes"
    if isinstance(verdict, Wait):
        return "" if isinstance(verdict.seconds, int | float) and verdict.seconds >= 0.0 else "seconds are a number"
    return "" if isinstance(verdict, Ask | NeedBody | Switch | Handle) else f"{type(verdict).__name__} is no verdict"


_BAD_LINES = "lines are bytes, each ends with CRLF, and a detail is text"


def _are_lines(lines: object) -> bool:
    if not isinstance(lines, bytes):
        return False
    return not lines or (lines.endswith(b"\r\n") and lines.count(b"\r\n") == lines.count(b"\n") == lines.count(b"\r"))


class _Held:
    """A request that waits for a step's verdict: it keeps what comes of the body, within a bound."""

    __slots__ = ("_admission", "_body_bytes_max", "_pending", "_request", "_share", "_size")

    def __init__(self, admission: Admission, request: Request, verdict: Wait | Ask | NeedBody) -> None:
        self._admission = admission
        self._request = request
        self._pending: asyncio.Task[None] | asyncio.TimerHandle | None = None
        self._body_bytes_max = -1
        self._size = sum(map(len, request.chunks))
        exchange = request.exchange
        exchange.receiver = self
        if type(verdict) is Wait:
            request.waited_s += verdict.seconds
            self._pending = asyncio.get_running_loop().call_later(verdict.seconds, self._waited)
        elif type(verdict) is Ask:
            self._pending = spawn(self._ask(verdict), name=f"policy {request.chain.names[request.step]}")
        else:
            assert type(verdict) is NeedBody  # noqa: S101 - for the type checker
            self._body_bytes_max = verdict.bytes_max
            if (exchange.head.content_length or 0) > verdict.bytes_max:
                admission.refuse(request, Refuse("body_too_large"))  # before anything is held of it
                return
            self._share = Share(admission.bodies)
            request.ends(self._share.end)
            if not exchange.told_complete:
                exchange.pause_body(False)  # an earlier step may have waited with more than was to be kept
            exchange.send_continue()
            self._collect(exchange.told_complete)

    def _waited(self) -> None:
        self._pending = None
        self._admission.settled(self._request, None)

    async def _ask(self, ask: Ask) -> None:
        request = self._request
        try:
            verdict = await ask.verdict
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a policy does, the request gets its answer
            if self._pending is None:
                self._admission.too_late(request, error)
                return
            self._pending = None
            self._admission.failed(request, error)
            return
        if self._pending is None:  # cancelled, but somebody on the way has kept that to himself
            self._admission.too_late(request)
            return
        self._pending = None
        self._admission.settled(request, verdict)

    def _collect(self, complete: bool) -> None:
        request = self._request
        if self._size > self._body_bytes_max:
            self._admission.refuse(request, Refuse("body_too_large"))
        elif not self._share.grow(self._size):
            self._admission.refuse(request, Refuse("overloaded", lines=_SOON))
        elif complete:
            request.body = b"".join(request.chunks)
            request.chunks = []
            request.now_s = self._admission._monotonic()
            self._admission.resume(request)

    # --- exchange.RequestReceiver ----------------------------------------------------------------------------

    def request_body(self, chunks: list[bytes], complete: bool) -> None:
        self._request.chunks += chunks
        self._size += sum(map(len, chunks))
        if self._body_bytes_max >= 0:
            self._collect(complete)
        elif self._size > REPLAY_BODY_BYTES_MAX and not complete:
            self._request.exchange.pause_body(True)  # nowhere to send it yet

    def request_aborted(self, code: str) -> None:
        if self._pending is not None:
            self._pending.cancel()
            self._pending = None
        self._admission.left(self._request, code)

    def response_paused(self, paused: bool) -> None:
        """Nothing is being answered yet."""
