"""What is said to a request that no route takes, after the steps that keep addresses out have let it pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foregate.gateway.match import UNSAFE, Router
from foregate.gateway.policies.policy import Policy, Refuse

if TYPE_CHECKING:
    from foregate.gateway.request import Request
    from foregate.gateway.routes import RouteEntry


class Unrouted(Policy):
    """404; or 405 where another method would be taken; or 400 where the path is a trick."""

    name = "route"

    def __init__(self, router: Router[RouteEntry]) -> None:
        self._router = router

    def admit(self, request: Request) -> Refuse:
        asked = request.host, request.path, request.query[1:], request.headers
        if self._router.find(request.method, *asked) is UNSAFE:
            return Refuse("malformed_request", "The path is ambiguous.")
        if methods := self._router.methods(*asked):
            return Refuse("method_not_allowed", lines=b"allow: " + b", ".join(methods) + b"\r\n")
        return Refuse("route_not_found")
