"""What a policy is: an object made once from its settings, asked with every request, answering with a verdict.

    class Teapot(Policy):
        def admit(self, request: Request) -> Verdict | None:
            return Refuse("forbidden", "No coffee here.") if request.path == b"/coffee" else None

`admit` must not block and must not perform: it returns what is to be done, and the pipeline does it. None lets the
request pass. What a policy has to give back at the end it appends to `request.at_end`; lines for the client's answer to
`request.answer_lines`. A policy that must read the whole body says so with `body_bytes_max`; one that changes the
answer's head overrides `answered`.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from foregate.gateway.ai.health import HealthBook
from foregate.http1.headers import HeaderList
from foregate.kernel.clock import Clock

if TYPE_CHECKING:
    from foregate.gateway.blocked import Blocked
    from foregate.gateway.cache.not_found import NotFoundPaths
    from foregate.gateway.inner import Asking
    from foregate.gateway.request import Request
    from foregate.ports.cache import CacheStore
    from foregate.ports.limits import Charge, LimitStore

Log = Callable[[str, dict[str, object]], None]  # (what happened, its facts); never called on the ordinary path
Fetch = Callable[[str], Awaitable[bytes]]  # GET an address through our own client: bounded in bytes and time


class Refuse(NamedTuple):
    """Answer with a problem. `code` is one of `kernel.errors`; `lines` are further header lines, each with CRLF.

    `members`: of the problem document, beside the usual ones.
    """

    code: str
    detail: str = ""
    lines: bytes = b""
    members: Mapping[str, Any] | None = None


class Answer(NamedTuple):
    """Answer at once, without an upstream."""

    status: int
    lines: bytes = b""  # header lines, each with CRLF, without framing
    body: bytes = b""


class Wait(NamedTuple):
    """Let it pass after so many seconds."""

    seconds: float


class Ask(NamedTuple):
    """The verdict is not known yet. Awaited once; cancelled when the client leaves."""

    verdict: Awaitable[Verdict | None]


class NeedBody(NamedTuple):
    """Ask this policy again once the whole body is in `request.body`; a larger one is refused with 413."""

    bytes_max: int


class Switch(NamedTuple):
    """It is known now who asks: go on with the policies of that consumer. Only authentication says this."""

    chain: Any  # chains.Chain


class Handle(NamedTuple):
    """The policy answers by itself, from what it asks of services: `begin(request, asking)`; see `gateway.inner`."""

    begin: Callable[[Request, Asking], None]


Verdict: TypeAlias = Refuse | Answer | Wait | Ask | NeedBody | Switch | Handle


class Consumer(NamedTuple):
    """Who asks. `id` travels in events; `scope` finds the policies of its plan and key ("" for none of its own)."""

    id: str
    org: str = ""
    plan: str = ""
    scope: str = ""
    name: str = ""  # of the key, as people call it


ANYBODY = Consumer("")


def _nobody(name: str) -> Consumer | None:
    return None


OWN = "key:"  # where a limit was set, when that is the key of whoever asks


class Place(NamedTuple):
    """Where a policy was set ("", "service:x", "route:y", "plan:z", "key:k") and, if it is one's, the service."""

    scope: str = ""
    service: str = ""


@dataclass(frozen=True, slots=True)
class Means:
    """What policies are given to work with."""

    clock: Clock
    rng: random.Random
    limits: LimitStore
    fetch: Fetch
    log: Log
    lateness_s: Callable[[], float]  # how late this worker's loop is, smoothed
    consumers: Callable[[bytes], Consumer | None]  # who an API key belongs to
    extensions: Mapping[str, Callable[[dict[str, Any]], Policy]]  # by name of their entry points
    named: Callable[[str], Consumer | None] = _nobody  # whose key has this name
    health: HealthBook = field(default_factory=HealthBook)  # of models: what is known of them outlives reloads
    cache: CacheStore | None = None  # where answers are kept
    not_found: NotFoundPaths | None = None  # there is one where there is a cache
    blocked: Blocked | None = None  # whose keys are blocked: asked as soon as it is known who asks
    charges: dict[Any, tuple[Charge, ...]] = field(default_factory=dict)  # of clients met lately: bounded by the limits


class Policy:
    """The default of everything. `name` stands in events; `body_bytes_max` > 0: the body is read whole beforehand."""

    __slots__ = ("__dict__",)  # made only where something is put into it: limits are many, and have slots
    name: str = ""
    body_bytes_max: int = 0
    steady: bool = False  # `answered` goes by status and fields alone: what it made of a head holds for the same head

    def admit(self, request: Request) -> Verdict | None:
        """Judge a request before it is sent on."""
        return None

    answered: Callable[[Request, int, HeaderList], HeaderList] | None = None  # change the head of the upstream's answer
