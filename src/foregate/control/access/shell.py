"""The outermost ASGI layer: request id, the guard's verdict, security headers, and a problem for what went wrong."""

from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from foregate.control.access.guard import Facts, Guard
from foregate.control.access.session import COOKIE
from foregate.control.deps import Log
from foregate.control.problems import problem_response
from foregate.kernel.ids import new_request_id, valid_request_id

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_SECURITY_HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # no-referrer would make forms send "Origin: null"
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Shell:
    """Wraps the whole application; see the module's sentence."""

    def __init__(self, app: ASGIApp, guard: Guard, log: Log) -> None:
        self._app = app
        self._guard = guard
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = _request_id(headers)
        scope.setdefault("state", {})["request_id"] = request_id
        started = False

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                _add_headers(message, request_id)
            await send(message)

        refusal = self._guard.decide(_facts(scope, headers))
        if refusal is not None and _wants_page(scope, headers) and refusal.code == "token_required":
            await RedirectResponse("/login", 303)(scope, receive, send_guarded)
            return
        if refusal is not None:
            challenge = {"WWW-Authenticate": "Bearer"} if refusal.code == "token_required" else None
            await problem_response(request_id, refusal.code, refusal.detail, challenge)(scope, receive, send_guarded)
            return
        try:
            await self._app(scope, receive, send_guarded)
        except Exception:  # the one place where nothing may be left unanswered
            self._log.exception("request_failed", request_id=request_id, path=scope["path"])
            if started:
                raise
            await problem_response(request_id, "internal")(scope, receive, send_guarded)


def _facts(scope: Scope, headers: Headers) -> Facts:
    return Facts(
        method=scope["method"],
        path=scope["path"],
        host=headers.get("host"),
        origin=headers.get("origin"),
        authorization=headers.get("authorization"),
        cookie=session_cookie(headers.get("cookie")),
    )


def session_cookie(header: str | None) -> str | None:
    """The session's value out of a Cookie header, None when it is not there or the header makes no sense."""
    if not header:
        return None
    try:
        morsel = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return None
    return morsel.value if morsel else None


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "").encode("latin-1", "replace")
    return given.decode() if valid_request_id(given) else new_request_id()


def _wants_page(scope: Scope, headers: Headers) -> bool:
    path: str = scope["path"]
    return scope["method"] == "GET" and not path.startswith("/api/") and "text/html" in headers.get("accept", "")


def _add_headers(message: Message, request_id: str) -> None:
    headers = MutableHeaders(scope=message)
    headers["X-Request-ID"] = request_id
    for name, value in _SECURITY_HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("Cache-Control", "no-store")
