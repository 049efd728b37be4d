"""Who is asking: any of a route's methods will do, and the first one that finds credentials decides.

A method is a policy with `challenge`, what WWW-Authenticate says of it (RFC 9110 section 11.6.1), and `identify`, which
answers with the consumer, a refusal, None (no credentials of mine here), or that it needs the body or has to ask
somebody first: then it is called again. Wrong credentials are refused even where another method
might have taken others. What else of credentials a request carries is not sent on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast

from foregate.gateway.blocked import Blocked
from foregate.gateway.policies.policy import Ask, Consumer, NeedBody, Policy, Refuse, Switch, Verdict

if TYPE_CHECKING:
    from foregate.gateway.request import Request

Found: TypeAlias = Consumer | Refuse | NeedBody | Ask | None


class Method(Protocol):
    """One way of saying who one is. What an `Ask` of it awaits has no meaning: `identify` is asked again after it."""

    name: str
    challenge: bytes

    def identify(self, request: Request) -> Found: ...

    def strip(self, request: Request) -> None:
        """Another method has let the request in: what would be credentials here was not looked at, so unless this
        method's are to be sent on, let them not be."""


class Authentication(Policy):
    """`methods` in the order in which a route lists them. Whoever is known and `blocked` is refused here."""

    def __init__(self, methods: Sequence[Policy], blocked: Blocked | None = None) -> None:
        self._blocked = blocked or Blocked(lambda: 0.0)
        self._methods = tuple(cast("Method", method) for method in methods)
        self._missing = Refuse("key_missing", lines=challenges([method.challenge for method in self._methods]))
        self.name = self._methods[0].name if len(self._methods) == 1 else "authentication"
        self._only = self._methods[0].identify if len(self._methods) == 1 else None

    def admit(self, request: Request) -> Verdict | None:
        """None or a `Switch` for those who are known, else why not."""
        only = self._only
        if only is None:
            return self._any(request)
        found = only(request)
        if type(found) is Consumer:
            request.consumer = found
            if self._blocked.keys and (refusal := self._blocked.of_key(found.id)) is not None:
                return refusal
            return Switch(request.chain.of(found.scope)) if found.scope else None
        return self._told(request, self._methods[0], found)

    def _any(self, request: Request) -> Verdict | None:
        for method in self._methods:
            found = method.identify(request)
            if found is not None:
                return self._told(request, method, found)
        return self._missing

    def _told(self, request: Request, method: Method, found: Found) -> Verdict | None:
        if found is None:
            return self._missing
        if isinstance(found, Ask):
            return Ask(self._after(request, method, found))
        if not isinstance(found, Consumer):
            return found
        request.consumer = found
        if self._blocked.keys and (refusal := self._blocked.of_key(found.id)) is not None:
            return refusal
        if self._only is None:
            request.note(f"{method.name}:passed")
            for other in self._methods:
                if other is not method:
                    other.strip(request)
        return Switch(request.chain.of(found.scope)) if found.scope else None

    async def _after(self, request: Request, method: Method, ask: Ask) -> Verdict | None:
        """What the method says once it has asked. It may not ask twice."""
        await ask.verdict
        found = method.identify(request)
        return Refuse("issuer_unavailable") if isinstance(found, Ask) else self._told(request, method, found)


def challenges(each: Sequence[bytes]) -> bytes:
    """One WWW-Authenticate line per challenge: a list in one line is what many clients cannot read."""
    return b"".join([b"www-authenticate: " + challenge + b"\r\n" for challenge in dict.fromkeys(each)])
