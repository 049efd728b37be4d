"""All rate limits and quotas of a request at once: all of them let it pass, or none of them is used."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from foregate.gateway.policies.limits.adaptive import cost_factor
from foregate.gateway.policies.policy import Ask, Means, Policy, Refuse, Verdict, Wait
from foregate.ports.limits import (
    CalendarWindow,
    Charge,
    Concurrency,
    FixedWindow,
    LeakyBucket,
    Rule,
    SlidingWindow,
    Taken,
    TokenBucket,
)
from foregate.wire.policies import Quota, Rate, RateLimit

if TYPE_CHECKING:
    from foregate.gateway.request import Request

LEAKY_DELAY_MAX_S = 1.0  # of a leaky bucket that does not say
_HEADER_SUBJECT_BYTES_MAX = 256  # a longer value is cut: it only has to tell clients apart


def rule_of(limit: RateLimit | Quota) -> Rule:
    """The rule that the store keeps."""
    if isinstance(limit, Quota):
        return CalendarWindow(float(limit.limit), limit.period)
    if limit.algorithm == "concurrency":
        return Concurrency(float(limit.max or 1))
    rate = limit.rate or Rate(1.0, 1.0)
    per_s = rate.amount / rate.per_s
    if limit.algorithm.endswith("_window"):
        window_s = rate.per_s / min(1.0, rate.amount)  # less than one in a window is one in a longer window
        kind = SlidingWindow if limit.algorithm == "sliding_window" else FixedWindow
        return kind(max(1.0, rate.amount), window_s)
    burst = limit.burst if limit.burst is not None else max(1.0, per_s)
    if limit.algorithm == "leaky_bucket":
        return LeakyBucket(per_s, burst, limit.delay_max_s or LEAKY_DELAY_MAX_S)
    return TokenBucket(per_s, burst)


def shown(rule: Rule) -> tuple[int, int]:
    """`q` and `w` of the RateLimit-Policy field: how many in how many seconds."""
    if isinstance(rule, CalendarWindow):
        return math.floor(rule.limit), 86_400 if rule.period == "day" else 2_592_000
    if isinstance(rule, SlidingWindow | FixedWindow):
        return math.floor(rule.limit), max(1, math.ceil(rule.window_s))
    if isinstance(rule, Concurrency):
        return math.floor(rule.limit), 1
    return math.floor(rule.burst), max(1, math.ceil(rule.burst / rule.rate))


def subject_of(by: str) -> Callable[[Request], str]:
    """Whose limit it is, by the word in the configuration. Without a key, "key", "org" and "plan" mean the address."""
    if by == "key":
        return lambda request: request.consumer.id or request.client
    if by == "org":
        return lambda request: request.consumer.org or request.consumer.id or request.client
    if by == "plan":
        return lambda request: request.consumer.plan or request.consumer.id or request.client
    if by == "ip":
        return lambda request: request.client
    if by == "route":
        return lambda request: request.route.name
    if by == "service":
        return lambda request: request.chain.service_name
    if by == "all":
        return lambda request: ""
    name = by.partition(":")[2].lower().encode()
    return lambda request: (request.header(name) or b"")[:_HEADER_SUBJECT_BYTES_MAX].decode("latin-1")


class Limits(Policy):
    """`places`: each limit with the scope it was set in, which is whom it is shared by."""

    name = "rate_limits"

    def __init__(self, places: Sequence[tuple[str, RateLimit | Quota]], means: Means) -> None:
        self._means = means
        self._clock = means.clock
        self._store = means.limits
        self._take_one = means.limits.take_one
        self._rules = [rule_of(limit) for _, limit in places]
        self._prefixes = [f"{scope}/{limit.name}/{limit.by}:" for scope, limit in places]
        self._subjects = [subject_of(limit.by) for _, limit in places]
        self._refusals = [
            ("quota_exceeded" if isinstance(limit, Quota) else "rate_limited", f'The limit "{limit.name}" is used up.')
            for _, limit in places
        ]
        names = [limit.name for _, limit in places]
        self._starts = [f'"{name}";r='.encode() for name in names]
        self._adaptive = [isinstance(limit, RateLimit) and limit.adaptive for _, limit in places]
        self._any_adaptive = any(self._adaptive)
        self._legacy = any(isinstance(limit, RateLimit) and limit.legacy_headers for _, limit in places)
        self._held = any(isinstance(rule, Concurrency) for rule in self._rules)
        entries = ", ".join(
            f'"{name}";q={q};w={w}' for name, (q, w) in zip(names, map(shown, self._rules), strict=True)
        )
        self._policy_line = f"ratelimit-policy: {entries}\r\nratelimit: ".encode()
        self._single = len(places) == 1 and not self._held and not self._any_adaptive and not self._legacy
        if self._single:
            self._rule, self._prefix, self._subject = self._rules[0], self._prefixes[0], self._subjects[0]
            self._line_start = self._policy_line + self._starts[0]

    def admit(self, request: Request) -> Verdict | None:
        """Take from all of them; delay, or refuse with the reason of the first that would not give."""
        if self._single:
            subject = (self._prefix + self._subject(request)).encode("utf-8", "surrogateescape")
            taken = self._take_one(self._rule, subject, request.now_s, self._clock.now())
            if type(taken) is Taken and taken.allowed and not taken.wait_s:
                request.answer_lines += b"%s%d;t=%d\r\n" % (
                    self._line_start,
                    taken.remaining[0],
                    math.ceil(taken.reset_s[0]),
                )
                return None
            charges: list[Charge] = []
        else:
            charges = self._charges(request)
            taken = self._store.take(charges, request.now_s, self._clock.now())
        if isinstance(taken, Taken):
            return self._judge(request, taken, charges)
        return Ask(self._later(request, taken, charges))

    async def _later(self, request: Request, taken: Awaitable[Taken], charges: list[Charge]) -> Verdict | None:
        return self._judge(request, await taken, charges)

    def _charges(self, request: Request) -> list[Charge]:
        cost = cost_factor(self._means.lateness_s()) if self._any_adaptive else 1.0
        return [
            Charge(
                rule,
                (prefix + subject(request)).encode("utf-8", "surrogateescape"),
                cost if adaptive else 1.0,
            )
            for rule, prefix, subject, adaptive in zip(
                self._rules, self._prefixes, self._subjects, self._adaptive, strict=True
            )
        ]

    def _judge(self, request: Request, taken: Taken, charges: list[Charge]) -> Verdict | None:
        lines = self._lines(taken)
        if not taken.allowed:
            wait_s = max(1, math.ceil(taken.retry_after_s))
            code, detail = self._refusals[taken.refused_by]
            return Refuse(code, detail, b"retry-after: %d\r\n%s" % (wait_s, lines))
        request.answer_lines += lines
        if self._held:
            held = [charge for charge in charges if isinstance(charge.rule, Concurrency)]
            request.ends(lambda _: self._store.release(held))
        if taken.wait_s > 0.0:
            request.note("rate_limits:delayed")
            return Wait(taken.wait_s)
        return None

    def _lines(self, taken: Taken) -> bytes:
        """RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers), the older names where wanted."""
        rows = zip(self._starts, taken.remaining, taken.reset_s, strict=True)
        items = [b"%s%d;t=%d" % (start, max(0.0, left), math.ceil(reset_s)) for start, left, reset_s in rows]
        lines = b"%s%s\r\n" % (self._policy_line, b", ".join(items))
        if self._legacy:
            tightest = min(range(len(items)), key=lambda index: taken.remaining[index])
            most, _ = shown(self._rules[tightest])
            lines += b"x-ratelimit-limit: %d\r\nx-ratelimit-remaining: %d\r\nx-ratelimit-reset: %d\r\n" % (
                most,
                max(0, math.floor(taken.remaining[tightest])),
                math.ceil(taken.reset_s[tightest]),
            )
        return lines
