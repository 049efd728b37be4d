"""One client's request to a model: who is asked next, what the client is told, what it has used.

The candidates are asked one after another until one answers. Before its first token a failure is not the client's
business; after it the stream ends with an error in the client's own protocol, never without a word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from foregate.gateway import layout
from foregate.gateway.ai.answering import Trouble, content_type, doubtful, error_fields, is_json
from foregate.gateway.ai.attempt import Attempt
from foregate.gateway.ai.errors import CODE, MESSAGE, PARAM, STATUS
from foregate.gateway.ai.formats import Asked, BadRequest, Stream
from foregate.gateway.ai.metering import Timing, ai_usage, count
from foregate.gateway.ai.usage import Usage
from foregate.gateway.answers import retry_after_line
from foregate.gateway.policies.policy import Refuse
from foregate.kernel.errors import ERRORS

if TYPE_CHECKING:
    from foregate.gateway.ai.formats.format import Told, Whole
    from foregate.gateway.ai.models import Candidate
    from foregate.gateway.ai.step import AiStep, Models
    from foregate.gateway.inner import Asking
    from foregate.gateway.request import Request

ATTEMPTS_CHARS_MAX = 512  # of what the event says of them


class Conversation:
    """`RequestReceiver` of the client's exchange. It ends in `_finish` or in a refusal, once.

    `key`: under which a good answer is kept; b"": it is not.
    """

    __slots__ = (
        "_attempt",
        "_attempts",
        "_doubted",
        "_kept",
        "_kept_size",
        "_key",
        "_left",
        "_refusal",
        "_step",
        "_timing",
        "_trouble",
        "asked",
        "asking",
        "models",
        "request",
    )

    def __init__(
        self,
        request: Request,
        asking: Asking,
        step: AiStep,
        asked: Asked,
        candidates: list[Candidate],
        key: bytes = b"",
    ) -> None:
        self.request = request
        self.asking = asking
        self._step = step
        self.models: Models = step.models
        self.asked = asked
        self._left = candidates
        self._key = key
        self._kept: list[bytes] = []
        self._kept_size = 0
        self._attempt: Attempt | None = None
        self._attempts: list[str] = []
        self._doubted: list[tuple[Candidate, Trouble]] = []  # who failed, perhaps by the client's own mistake
        self._timing = Timing(request.started_s)
        self._trouble: Trouble | None = None  # of the last attempt
        self._refusal: BadRequest | None = None  # of the first candidate whose language could not say the request

    def start(self) -> None:
        """Ask the first candidate."""
        self.request.exchange.receiver = self
        self._next()

    def _next(self) -> None:
        """Ask whoever is next, or give up."""
        try:
            self._ask_next()
        except Exception as error:  # noqa: BLE001 - a mistake of ours must not leave the client waiting
            self.asking.failed(self.request, error)

    def _ask_next(self) -> None:
        while self._left:
            candidate = self._left.pop(0)
            way = self.models.way(self.asked.format, candidate.provider)
            if way is None:
                path = self.asked.format.path.decode()
                self._refusal = self._refusal or BadRequest(f"{candidate.label} cannot be asked by {path}.", "model")
                self._attempts.append(f"{candidate.label}:other_api")
                continue
            compatible = candidate.provider.provider == "openai-compatible"
            try:
                asked = self._step.said_to(candidate, self.asked)
                body = way.request(asked, candidate.model, candidate.settings.output_tokens_max, compatible)
            except BadRequest as error:
                self._refusal = self._refusal or error
                self._attempts.append(f"{candidate.label}:cannot_say({error.param})")
                continue
            health = self.models.health_of(candidate)
            health.began(self.asking.clock.monotonic())
            self._attempt = Attempt(self, candidate, way, body, health)
            self._attempt.start()
            return
        self._give_up()

    # --- what attempts tell ----------------------------------------------------------------------------------

    def attempt_failed(self, attempt: Attempt, trouble: Trouble) -> None:
        """No token has come of it."""
        candidate = attempt.candidate
        attempt.end()
        self._attempts.append(f"{candidate.label}:{trouble.said}")
        self.models.cells_of(candidate)[layout.AI_FAILED] += 1.0
        if trouble.counts and not doubtful(trouble):
            self._speaks_against(candidate, trouble.said, trouble.message, trouble.wait_s)
        else:
            attempt.health.undecided()
            if trouble.counts:
                self._doubted.append((candidate, trouble))
        self._trouble = trouble
        self._next()

    def refused(self, attempt: Attempt, status: int, body: bytes, told: Told) -> None:
        """The provider says that the client is at fault: nobody else would say anything else."""
        request, spoken = self.request, self.asked.format
        attempt.end()
        attempt.health.undecided()
        self._attempts.append(f"{attempt.candidate.label}:{status}")
        self._account(attempt, Usage(), "", "", False)
        if attempt.way.provider is not spoken or not is_json(body):
            body = spoken.error_body(status, told.message, told.code, told.param)
        if self.asking.answer(request, status, error_fields(), len(body), _by(attempt)):
            request.exchange.write(body)
            self._finish(attempt, status, "")

    def answered(self, attempt: Attempt, whole: Whole) -> None:
        """A whole answer."""
        self._answers(attempt)
        self._account(attempt, whole.usage, whole.finish_reason, whole.model)
        body = whole.body
        if self._key:
            self._keep([body], attempt, whole.model, whole.finish_reason)
        attempt.end()
        if self.asking.answer(self.request, 200, content_type(self.asked), len(body), _by(attempt)):
            self.request.exchange.write(body)
            self._finish(attempt, 200, "")

    def stream_began(self, attempt: Attempt, held: bytes) -> None:
        """A first token has come, after what was held until then."""
        self._answers(attempt)
        exchange = self.request.exchange
        if not self.asking.answer(self.request, 200, content_type(self.asked), None, _by(attempt)):
            attempt.end()
        elif held:
            self._write(held)
        if exchange.paused and attempt.inner is not None:
            attempt.inner.pause(True)

    def stream_more(self, attempt: Attempt, out: bytes) -> None:
        """More events."""
        self._timing.last_s = self.asking.clock.monotonic()
        self._write(out)

    def last_event_came(self) -> None:
        """It is held until the provider has ended its answer."""
        self._timing.last_s = self.asking.clock.monotonic()

    def stream_ended(self, attempt: Attempt, stream: Stream, out: bytes) -> None:
        """It came to its proper end."""
        if attempt.over:
            return
        if out:
            self._write(out)
        attempt.end()
        self._stream_whole(attempt, stream)
        self._finish(attempt, 200, "")

    def stream_broken(self, attempt: Attempt, stream: Stream, code: str, message: str) -> None:
        """It broke off after its first token: the client is told so in its own protocol."""
        attempt.end()
        self._attempts[-1] = f"{attempt.candidate.label}:{code}"
        self.models.cells_of(attempt.candidate)[layout.AI_FAILED] += 1.0
        self._speaks_against(attempt.candidate, code, message)
        self._account(attempt, stream.usage(), stream.finish_reason, stream.model)
        self.request.exchange.write(stream.error_event(ERRORS[code].status, message or ERRORS[code].title, code))
        self._finish(attempt, 200, code)

    def mistaken(self, attempt: Attempt, error: Exception) -> None:
        """What an attempt told could not be made into an answer: the client gets an error, and the event says whose."""
        request, exchange = self.request, self.request.exchange
        attempt.end()
        if self._attempt is not attempt:
            self.asking.tell(request, error)  # another one answers, or all is over
            return
        attempt.health.undecided()
        if not exchange.head_sent:
            self._attempt = None
            self.asking.failed(request, error)
            return
        self.asking.tell(request, error)
        spec = ERRORS["internal"]
        self._account(attempt, attempt.usage(), "", "")
        exchange.write(self.asked.format.error_event(spec.status, spec.title, spec.code))
        self._finish(attempt, 200, spec.code)

    # --- RequestReceiver -------------------------------------------------------------------------------------

    def request_body(self, chunks: list[bytes], complete: bool) -> None:
        """It has all come, or nobody would have been asked."""

    def request_aborted(self, code: str) -> None:
        """The client has left, at the latest before its last event: what has come so far is what it has used."""
        attempt = self._attempt
        if attempt is None or attempt.over:
            return
        usage = attempt.usage()
        attempt.end()
        stream = attempt.stream
        if not attempt.begun:
            attempt.health.undecided()
            self._attempts.append(f"{attempt.candidate.label}:{code}")
        self._account(attempt, usage, stream.finish_reason if stream else "", stream.model if stream else "")
        self._leave_event(attempt, ERRORS[code].status, code)

    def response_paused(self, paused: bool) -> None:
        attempt = self._attempt
        if attempt is not None and attempt.inner is not None and attempt.begun:
            attempt.inner.pause(paused)

    # --- the end ---------------------------------------------------------------------------------------------

    def _answers(self, attempt: Attempt) -> None:
        """This attempt is the answer."""
        now_s = self.asking.clock.monotonic()
        self._timing.seen(now_s)
        attempt.health.answered((now_s - attempt.began_s) * 1000.0, self.asked.stream)
        self._attempts.append(f"{attempt.candidate.label}:ok")
        for doubted, trouble in self._doubted:
            self._speaks_against(doubted, trouble.said, trouble.message)
        self._doubted = []

    def _speaks_against(self, candidate: Candidate, why: str, message: str, wait_s: float = 0.0) -> None:
        """The model has failed. Said in the log when it is avoided from now on."""
        if self.models.health_of(candidate).failed(self.asking.clock.monotonic(), wait_s):
            facts: dict[str, object] = {"service": candidate.service, "model": candidate.model, "why": why}
            self.models.means.log("model_avoided", facts | {"message": message[:200]})

    def _stream_whole(self, attempt: Attempt, stream: Stream) -> None:
        """All of a stream has been sent."""
        attempt.health.ended()
        self._account(attempt, stream.usage(), stream.finish_reason, stream.model)
        if self._key:
            self._keep(self._kept, attempt, stream.model, stream.finish_reason)

    def _write(self, out: bytes) -> None:
        self.request.exchange.write(out)
        if self._key:
            self._kept.append(out)
            self._kept_size += len(out)
            cache = self.models.cache
            if cache is None or self._kept_size > cache.settings.answer_bytes_max:
                self._key, self._kept = b"", []

    def _keep(self, pieces: list[bytes], attempt: Attempt, model: str, finish_reason: str) -> None:
        cache = self.models.cache
        if cache is not None:
            now_s = self.asking.clock.monotonic()
            cache.keep(self._key, tuple(pieces), now_s, attempt.candidate.service, model, finish_reason)

    def _account(
        self, attempt: Attempt, usage: Usage, finish_reason: str, answered_by: str, answered: bool = True
    ) -> None:
        """What it has used, for the event, the limits and the numbers. Before the event is left."""
        request, asked, candidate = self.request, self.asked, attempt.candidate
        said = ai_usage(
            asked.format.operation,
            asked.model,
            candidate,
            answered_by,
            usage,
            self._timing,
            asked.stream,
            finish_reason,
            self._said(),
        )
        request.ai = said
        if answered:
            count(self.models.cells_of(candidate), said, self.asking.clock.monotonic() - request.started_s)
        request.chain = self._step.answered_by(request.chain, candidate.service)

    def _said(self) -> str:
        return " ".join(self._attempts)[:ATTEMPTS_CHARS_MAX]

    def _leave_event(self, attempt: Attempt, status: int, error: str) -> None:
        self._attempt = None  # it knows this conversation: a cycle that only the collector would free
        self.asking.finish(self.request, status, error, attempt.facts)

    def _finish(self, attempt: Attempt, status: int, error: str) -> None:
        """Leave the event, then let the last byte go."""
        self._leave_event(attempt, status, error)
        exchange = self.request.exchange
        exchange.end()
        exchange.flush()

    def _give_up(self) -> None:
        """Nobody is left. What the last of them said is passed on, where it may concern the client."""
        trouble, request = self._trouble, self.request
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            self._account(attempt, Usage(), "", "", False)
        if trouble is None:
            error = self._refusal or BadRequest("No model can be asked for this.", "model")
            self.asking.refuse(request, Refuse("invalid_parameter", error.sentence, members={PARAM: error.param}))
            return
        lines = retry_after_line(trouble.wait_s) if trouble.wait_s else b""
        members: dict[str, object] = {CODE: trouble.code}
        if trouble.message and trouble.status:
            members |= {STATUS: trouble.status, MESSAGE: trouble.message}
        detail = f"All models that may answer were tried: {self._said()}." if len(self._attempts) > 1 else ""
        self.asking.refuse(request, Refuse(trouble.code, detail, lines, members))


def _by(attempt: Attempt) -> bytes:
    return b"x-gateway-service: %s\r\n" % attempt.candidate.service.encode()
