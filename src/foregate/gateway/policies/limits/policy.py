"""All rate limits and quotas of a request at once: all of them let it pass, or none of them is used."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from math import ceil, floor
from socket import inet_ntoa
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from foregate.gateway.policies.limits.adaptive import cost_factor
from foregate.gateway.policies.networks import packed
from foregate.gateway.policies.policy import OWN, Ask, Means, Policy, Refuse, Verdict, Wait
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
    named,
)
from foregate.wire.policies import Quota, Rate, RateLimit

if TYPE_CHECKING:
    from foregate.gateway.request import Request

LEAKY_DELAY_MAX_S = 1.0  # of a leaky bucket that does not say
MET_MAX = 8_192  # clients whose charges are kept ready, of all limits of a worker together; beyond it all are made anew
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
        return floor(rule.limit), 86_400 if rule.period == "day" else 2_592_000
    if isinstance(rule, SlidingWindow | FixedWindow):
        return floor(rule.limit), max(1, ceil(rule.window_s))
    if isinstance(rule, Concurrency):
        return floor(rule.limit), 1
    return floor(rule.burst), max(1, ceil(rule.burst / rule.rate))


def subject_of(by: str) -> Callable[[Request], str]:
    """Whose limit it is, by the word in the configuration: the store's name for them.

    Who has no plan or org counts as their key, who has no key as their address. Each says which of them it is, so that
    an org that is called like a key or an address shares nothing with it.
    """
    if by == "key":
        return _key_or_address
    if by == "org":
        return lambda request: f"org:{request.consumer.org}" if request.consumer.org else _key_or_address(request)
    if by == "plan":
        return lambda request: f"plan:{request.consumer.plan}" if request.consumer.plan else _key_or_address(request)
    if by == "ip":
        return _address
    if by == "route":
        return lambda request: request.route.name
    if by == "service":
        return lambda request: request.chain.service_name
    if by == "all":
        return lambda request: ""
    name = by.partition(":")[2].lower().encode()
    return lambda request: (request.header(name) or b"")[:_HEADER_SUBJECT_BYTES_MAX].decode("latin-1")


def _key_or_address(request: Request) -> str:
    return f"key:{request.consumer.id}" if request.consumer.id else _address(request)


def _address(request: Request) -> str:
    """Of IPv6 the first 64 bits: whoever has one of these addresses has all of them."""
    client = request.client
    if ":" in client and (raw := packed(client)) is not None:
        return f"ip:{raw[:8].hex()}/64" if len(raw) == 16 else f"ip:{inet_ntoa(raw)}"
    return f"ip:{client}"


def known_by(by: str) -> Callable[[Request], Any]:
    """What tells the same subjects apart, made with every request: nothing is put together for it."""
    if by == "key":
        return lambda request: request.consumer.id or (request.client,)
    if by == "org":
        return lambda request: request.consumer.org or (request.consumer.id, request.client)
    if by == "plan":
        return lambda request: request.consumer.plan or (request.consumer.id, request.client)
    return (lambda request: request.client) if by == "ip" else subject_of(by)


_Charges: TypeAlias = tuple[Charge, ...]


class Form:
    """What limits with the same settings have in common, wherever they are set. `own`: one of them is set on keys."""

    __slots__ = ("adaptive", "holds", "legacy", "limits", "refusals", "rules", "single", "subjects", "template", "who")

    def __init__(self, limits: Sequence[RateLimit | Quota], own: bool = False) -> None:
        self.limits = tuple(limits)
        self.rules = tuple(rule_of(limit) for limit in limits)
        self.subjects = tuple(subject_of(limit.by) for limit in limits)
        self.who = _together(
            [known_by(by) for by in dict.fromkeys([*(limit.by for limit in limits), *(["key"] if own else [])])]
        )
        self.refusals = [
            ("quota_exceeded" if isinstance(limit, Quota) else "rate_limited", f'The limit "{limit.name}" is used up.')
            for limit in limits
        ]
        self.adaptive = tuple(isinstance(limit, RateLimit) and limit.adaptive for limit in limits)
        self.legacy = any(isinstance(limit, RateLimit) and limit.legacy_headers for limit in limits)
        self.holds = any(isinstance(rule, Concurrency) for rule in self.rules)
        self.single = len(limits) == 1 and not self.holds and not any(self.adaptive)
        self.template = _template([limit.name for limit in limits], self.rules)


class Limits(Policy):
    """`scopes`: where each of the form's limits was set, which is whom it is shared by. `OWN`: each key has its own."""

    name = "rate_limits"
    __slots__ = ("_any_adaptive", "_form", "_means", "_met", "_scopes", "_single", "_take", "_take_one", "_who")

    def __init__(self, scopes: Sequence[str], form: Form, means: Means) -> None:
        self._scopes = tuple(scopes)
        self._form = form
        self._means = means
        self._take, self._take_one = means.limits.take, means.limits.take_one
        self._met = means.charges
        self._who = form.who
        self._single = form.single
        self._any_adaptive = any(form.adaptive)

    def admit(self, request: Request) -> Verdict | None:
        """Take from all of them; delay, or refuse with the reason of the first that would not give."""
        who = self._who(request)
        charges = self._met.get((self, who)) or self._meet(request, who)
        if self._single:
            charge = charges[0]
            taken = self._take_one(charge.rule, charge.subject, request.now_s, self._means.clock.now())
        else:
            if self._any_adaptive and (factor := cost_factor(self._means.lateness_s())) != 1.0:
                charges = self._costing(charges, factor)
            taken = self._take(charges, request.now_s, self._means.clock.now())
        if type(taken) is Taken:
            return self._judge(request, taken, charges)
        return Ask(self._later(request, cast("Awaitable[Taken]", taken), charges))

    async def _later(self, request: Request, taken: Awaitable[Taken], charges: _Charges) -> Verdict | None:
        return self._judge(request, await taken, charges)

    def _meet(self, request: Request, who: object) -> _Charges:
        """The charges of somebody who was not met before, or not lately."""
        form = self._form
        charges = tuple(
            Charge(rule, _named(scope, limit, request, subject))
            for scope, limit, rule, subject in zip(self._scopes, form.limits, form.rules, form.subjects, strict=True)
        )
        if len(self._met) >= MET_MAX:
            self._met.clear()
        self._met[self, who] = charges
        return charges

    def _costing(self, charges: _Charges, factor: float) -> _Charges:
        """The same at the price of a loaded machine, for the limits that shrink with it."""
        pairs = zip(charges, self._form.adaptive, strict=True)
        return tuple(Charge(rule, subject, factor if adaptive else cost) for (rule, subject, cost), adaptive in pairs)

    def _judge(self, request: Request, taken: Taken, charges: _Charges) -> Verdict | None:
        lines = self._lines(taken)
        if not taken.allowed:
            wait_s = max(1, ceil(taken.retry_after_s))
            code, detail = self._form.refusals[taken.refused_by]
            return Refuse(code, detail, b"retry-after: %d\r\n%s" % (wait_s, lines))
        request.answer_lines += lines
        if self._form.holds:
            request.ends(lambda _: self._means.limits.release(charges))
        if taken.wait_s > 0.0:
            request.note("rate_limits:delayed")
            return Wait(taken.wait_s)
        return None

    def _lines(self, taken: Taken) -> bytes:
        """RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers), the older names where wanted."""
        remaining = taken.remaining
        if self._single:
            lines = self._form.template % (remaining[0], ceil(taken.reset_s[0]))
        else:
            values: list[float] = []
            for left, reset_s in zip(remaining, taken.reset_s, strict=True):
                values += (left, ceil(reset_s))
            lines = self._form.template % tuple(values)
        return lines + self._older(taken) if self._form.legacy else lines

    def _older(self, taken: Taken) -> bytes:
        """X-RateLimit-* of the limit that has least left."""
        tightest = min(range(len(self._form.rules)), key=lambda index: taken.remaining[index])
        return b"x-ratelimit-limit: %d\r\nx-ratelimit-remaining: %d\r\nx-ratelimit-reset: %d\r\n" % (
            shown(self._form.rules[tightest])[0],
            taken.remaining[tightest],
            ceil(taken.reset_s[tightest]),
        )


def _named(scope: str, limit: RateLimit | Quota, request: Request, subject: Callable[[Request], str]) -> bytes:
    """`Charge.subject`."""
    whose = f"{request.consumer.id}/{subject(request)}" if scope == OWN else subject(request)
    return named(scope, limit.name, limit.by, whose)


def _template(names: Sequence[str], rules: Sequence[Rule]) -> bytes:
    """Both lines, with two numbers per limit to be filled in: what is left, and the seconds until it is whole again."""
    names = [name.replace("%", "%%") for name in names]
    entries = [f'"{name}";q={q};w={w}' for name, (q, w) in zip(names, map(shown, rules), strict=True)]
    items = [f'"{name}";r=%d;t=%d' for name in names]
    return f"ratelimit-policy: {', '.join(entries)}\r\nratelimit: {', '.join(items)}\r\n".encode()


def _together(subjects: Sequence[Callable[[Request], str]]) -> Callable[[Request], Any]:
    """What all of these say of a request, as one value that can be looked up."""
    if len(subjects) == 1:
        return subjects[0]
    if len(subjects) == 2:
        first, second = subjects
        return lambda request: (first(request), second(request))
    return lambda request: tuple([subject(request) for subject in subjects])
