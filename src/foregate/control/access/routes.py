"""Signing in and out: by a one-time link, by the token in a small form, and a new link for whoever has the token."""

from importlib.resources import files
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, Field

from foregate.control.access.codes import CODE_LIFETIME_S, OneTimeCodes
from foregate.control.access.session import COOKIE, SESSION_LIFETIME_S, Sessions
from foregate.control.parameters import known_parameters
from foregate.kernel.errors import ForegateError
from foregate.kernel.secrets import equal

FORM_BYTES_MAX = 4_096  # a larger sign-in form is refused with body_too_large
_PAGE = files("foregate.control.console").joinpath("login.html").read_text()
_STYLE = files("foregate.control.console").joinpath("login.css").read_bytes()
_ICON = files("foregate.control.console").joinpath("favicon.svg").read_bytes()


class LoginLink(BaseModel):
    """A link that signs one browser in."""

    url: str = Field(description="Open it once; it does not work a second time.")
    expires_in_s: float


def login_router(token: str, codes: OneTimeCodes, sessions: Sessions) -> APIRouter:
    """The sign-in page and its files; not part of the API document."""
    router = APIRouter(include_in_schema=False)

    @router.get("/login")
    async def login(code: str | None = None) -> Response:
        if code is None:
            return HTMLResponse(_page(""))
        if not codes.redeem(code):
            return HTMLResponse(_page("This link was used before or has expired. Paste the token instead."), 401)
        return _signed_in(sessions)

    @router.post("/login")
    async def login_by_token(request: Request) -> Response:
        given = _form_token(await _body(request))
        if not equal(given, token):
            return HTMLResponse(_page("That is not the token of this console."), 401)
        return _signed_in(sessions)

    @router.post("/logout")
    async def logout() -> Response:
        response = RedirectResponse("/login", 303)
        response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
        return response

    @router.get("/login.css")
    def style() -> Response:
        return Response(_STYLE, media_type="text/css")

    @router.get("/favicon.svg")
    def icon() -> Response:
        return Response(_ICON, media_type="image/svg+xml", headers={"Cache-Control": "max-age=3600"})

    return router


def link_router(codes: OneTimeCodes) -> APIRouter:
    """`POST /api/v1/login-links`: how `foregate up` gets the link it prints."""
    router = APIRouter(dependencies=[Depends(known_parameters)], tags=["sign-in"])

    @router.post("/login-links", status_code=201, summary="Make a link that signs one browser in")
    async def login_link(request: Request) -> LoginLink:
        url = f"http://{request.headers['host']}/login?code={codes.issue()}"
        return LoginLink(url=url, expires_in_s=CODE_LIFETIME_S)

    return router


def _page(message: str) -> str:
    return _PAGE.replace("<!-- message -->", f'<p class="message" role="alert">{message}</p>' if message else "")


def _signed_in(sessions: Sessions) -> Response:
    response = RedirectResponse("/", 303)
    response.set_cookie(COOKIE, sessions.new(), max_age=SESSION_LIFETIME_S, path="/", httponly=True, samesite="strict")
    return response


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES_MAX:
            raise ForegateError("body_too_large")
    return body


def _form_token(body: bytes) -> str:
    """The field `token` of an URL-encoded form, without what copying from a terminal adds around it."""
    return parse_qs(body.decode("utf-8", "replace")).get("token", [""])[0].strip()
