"""Whether a request may pass: a pure decision over what the request says."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from foregate.kernel.secrets import equal

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
_OPEN_PATHS = frozenset(
    {"/health", "/health/ready", "/health/live", "/healthz", "/login", "/login.css", "/favicon.svg"}
)
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Facts:
    """What the decision rests on; header values as sent, None when absent."""

    method: str
    path: str
    host: str | None
    origin: str | None = None
    authorization: str | None = None
    cookie: str | None = None


class Refusal(NamedTuple):
    """An error code of kernel.errors and a public detail."""

    code: str
    detail: str = ""


@dataclass(frozen=True)
class Guard:
    """`hosts` are names without port; `session_valid` checks a session cookie's value."""

    token: str
    hosts: frozenset[str]
    session_valid: Callable[[str], bool]

    def decide(self, facts: Facts) -> Refusal | None:
        """None when the request may pass."""
        return self._host(facts) or self._origin(facts) or self._identity(facts)

    def _host(self, facts: Facts) -> Refusal | None:
        """A page of a foreign name that resolves to this machine (DNS rebinding) gets nothing."""
        name = host_name(facts.host or "")
        if name in LOOPBACK_HOSTS or name in self.hosts:
            return None
        return Refusal("origin_refused", "The console is not served under this Host name.")

    def _origin(self, facts: Facts) -> Refusal | None:
        """Changes come from our own page, or from a program that sends its token itself and no Origin."""
        if facts.method in _SAFE_METHODS:
            return None
        if facts.origin is None:
            return None if facts.authorization or facts.cookie is None else Refusal("origin_refused")
        same = facts.origin.partition("://")[2].lower() == (facts.host or "").lower()
        return None if same else Refusal("origin_refused")

    def _identity(self, facts: Facts) -> Refusal | None:
        if facts.path in _OPEN_PATHS:
            return None
        if facts.authorization is not None:
            scheme, _, given = facts.authorization.partition(" ")
            if scheme.lower() == "bearer" and equal(given.strip(), self.token):
                return None
            return Refusal("token_required", "The token in the Authorization header is not the console's.")
        if facts.cookie is not None and self.session_valid(facts.cookie):
            return None
        return Refusal("token_required")


def host_name(host: str) -> str:
    """The name in a Host header, in lower case, without its port: `[::1]:8090` → `[::1]`."""
    host = host.strip().lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
