"""Limits in tokens: what a request may use is reserved before any provider is asked, and settled when it has ended.

So a limit is never exceeded by more than one request's reserve: by what an answer has used beyond what it was allowed,
where our estimate of its prompt was too low.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, Sequence
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from foregate.gateway.ai.formats import Asked
from foregate.gateway.policies.limits.policy import subject_of
from foregate.gateway.policies.policy import OWN, Means, Refuse
from foregate.gateway.scopes import Set
from foregate.kernel.tasks import spawn
from foregate.ports.limits import CalendarWindow, Charge, Moment, Rule, Taken, TokenBucket, named_of_tokens
from foregate.wire.ai import TokenLimit
from foregate.wire.settings import Rate

if TYPE_CHECKING:
    from foregate.gateway.request import Request


# What each API calls the bound of an answer. Others have none (embeddings), or no request without one (messages).
_BOUNDS = {
    "openai-chat": ("max_completion_tokens", "max_tokens"),
    "openai-completions": ("max_tokens",),
    "openai-responses": ("max_output_tokens",),
}


def bounded(asked: Asked, tokens: int, compatible: bool) -> Asked:
    """The same request, in which the provider is told the bound that was reserved for it: `tokens` of output.

    What the client has named itself stays. `compatible`: a server that may know only the oldest of the names, and
    reads whichever it knows: they must all say the same.
    """
    names = _BOUNDS.get(asked.format.name, ())
    told = [name for name in names if asked.document.get(name) is not None]
    if not names or (told and not compatible):
        return asked
    most = tokens if asked.output_tokens_max is None else asked.output_tokens_max
    found = copy.copy(asked)
    found.output_tokens_max = most
    found.document = asked.document | dict.fromkeys({*told, names[-1] if compatible else names[0]}, most)
    return found


class Expected(NamedTuple):
    """What a request may use: our estimate of its prompt, and the output that it is allowed."""

    input: float
    output: float


def rule_of(limit: TokenLimit) -> Rule:
    """The rule that the store keeps. Raises ValueError for what no store could count."""
    if limit.quota is not None:
        return CalendarWindow(float(limit.quota), limit.period or "day")
    rate = limit.rate or Rate(1.0, 1.0)
    return TokenBucket(rate.amount / rate.per_s, limit.burst or max(1.0, rate.amount))


def share(kind: str, tokens: Expected) -> float:
    """Which of the tokens a limit of this kind counts."""
    return tokens.input if kind == "input" else tokens.output if kind == "output" else tokens.input + tokens.output


class TokenLimits:
    """`places`: the limits that hold for a chain, each with where it was set, which is whom it is shared by."""

    __slots__ = ("_limits", "_means", "_rules", "_subjects", "_template", "of_output")

    def __init__(self, places: Sequence[Set], means: Means) -> None:
        self._means = means
        self._limits: list[TokenLimit] = [place.settings for place in places]
        self.of_output = any(limit.kind != "input" for limit in self._limits)  # an answer must not be longer than said
        self._rules = [rule_of(limit) for limit in self._limits]
        self._subjects = [_subject_of(place) for place in places]
        self._template = b"".join(
            f"x-ratelimit-remaining-{limit.name}: %d\r\nx-ratelimit-reset-{limit.name}: %d\r\n".lower().encode()
            for limit in self._limits
        )

    def __bool__(self) -> bool:
        return bool(self._limits)

    def reserve(self, request: Request, tokens: Expected) -> Refuse | Awaitable[Refuse | None] | None:
        """Take it from all of them, or from none."""
        charges = [
            Charge(rule, subject(request), share(limit.kind, tokens))
            for limit, rule, subject in zip(self._limits, self._rules, self._subjects, strict=True)
        ]
        moment = Moment(request.now_s, self._means.clock.now())
        taken = self._means.limits.take(charges, *moment)
        if isinstance(taken, Taken):
            return self._judge(request, taken, charges, moment)
        return self._later(request, taken, charges, moment)

    async def _later(
        self, request: Request, taken: Awaitable[Taken], charges: Sequence[Charge], moment: Moment
    ) -> Refuse | None:
        waiting = spawn(_awaited(taken), name="token limits")
        try:
            found = await asyncio.shield(waiting)
        except asyncio.CancelledError:  # the client has left: what is taken all the same goes back
            waiting.add_done_callback(lambda done: self._give_back(done, charges, moment))
            raise
        return self._judge(request, found, charges, moment)

    def _give_back(self, done: asyncio.Future[Taken], charges: Sequence[Charge], moment: Moment) -> None:
        if done.cancelled() or done.exception() is not None:
            return  # said by its task
        taken = done.result()
        if taken.allowed and taken.counted:
            clock = self._means.clock
            now = Moment(clock.monotonic(), clock.now())
            self._means.limits.settle(charges, [0.0] * len(charges), moment, now)

    def _judge(self, request: Request, taken: Taken, charges: Sequence[Charge], moment: Moment) -> Refuse | None:
        values: list[float] = []
        for left, reset_s in zip(taken.remaining, taken.reset_s, strict=True):
            values += (left, ceil(reset_s))
        lines = self._template % tuple(values)
        if not taken.allowed:
            limit = self._limits[taken.refused_by]
            wait_s = max(1, ceil(taken.retry_after_s))
            wanted = charges[taken.refused_by].cost
            detail = f'The token limit "{limit.name}" has {taken.remaining[taken.refused_by]:.0f} left of what this'
            detail += f" request may use ({wanted:.0f}). Try again in {wait_s} s."
            code = "tokens_limited" if limit.quota is None else "quota_exceeded"
            return Refuse(code, detail, b"retry-after: %d\r\n%s" % (wait_s, lines))
        request.answer_lines += lines
        if taken.counted:
            request.ends(lambda ended: self._settle(ended, charges, moment))
        return None

    def _settle(self, request: Request, charges: Sequence[Charge], moment: Moment) -> None:
        """What it has used, however it ended; an answer from our own cache, or none, uses nothing."""
        said = request.ai
        used = Expected(said.input_tokens, said.output_tokens) if said is not None else Expected(0.0, 0.0)
        amounts = [share(limit.kind, used) for limit in self._limits]
        clock = self._means.clock
        self._means.limits.settle(charges, amounts, moment, Moment(clock.monotonic(), clock.now()))


async def _awaited(taken: Awaitable[Taken]) -> Taken:
    return await taken


def _subject_of(place: Set) -> Callable[[Request], bytes]:
    """`Charge.subject` of a limit."""
    settings: TokenLimit = place.settings
    own = place.scope.startswith(OWN)
    prefix = named_of_tokens(OWN if own else place.scope, settings.name, settings.by, settings.kind)
    whose = subject_of(settings.by)
    if own:
        return lambda request: f"{prefix}{request.consumer.id}/{whose(request)}".encode("utf-8", "surrogateescape")
    return lambda request: f"{prefix}{whose(request)}".encode("utf-8", "surrogateescape")
