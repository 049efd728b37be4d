"""Every error leaves as application/problem+json, whoever raised it."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from foregate.kernel.errors import ERRORS, ErrorSpec, ForegateError, problem

_BY_STATUS = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}
MEDIA_TYPE = "application/problem+json"


def problem_response(request_id: str, code: str, detail: str = "", headers: dict[str, str] | None = None) -> Response:
    """The response for error `code` (a key of `kernel.errors.ERRORS`)."""
    spec: ErrorSpec = ERRORS[code]
    return Response(problem(spec, request_id, detail), spec.status, headers, MEDIA_TYPE)


def describe_validation(errors: list[Any]) -> str:
    """The first thing that is wrong with the parameters, with its name: `limit: Input should be …`."""
    first = errors[0]
    where = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
    return f"{where}: {first['msg']}"


def install(app: FastAPI) -> None:
    """Answer raised errors with problems. Unexpected exceptions are left to `access.shell`, which logs them."""

    def foregate_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, ForegateError)  # noqa: S101 - starlette's signature is wider than what it calls
        again = {"Retry-After": "1"} if error.spec.retryable and error.spec.status in (429, 503) else None
        return problem_response(request.state.request_id, error.spec.code, error.detail, again)

    def store_error(request: Request, error: Exception) -> Response:
        return problem_response(request.state.request_id, "store_unavailable", str(error), {"Retry-After": "1"})

    def validation_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        detail = describe_validation(list(error.errors()))
        return problem_response(request.state.request_id, "invalid_parameter", detail)

    def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101
        code = _BY_STATUS.get(error.status_code, "invalid_parameter" if error.status_code < 500 else "internal")
        headers = {name: value for name, value in (error.headers or {}).items() if name.lower() == "allow"}
        return problem_response(request.state.request_id, code, headers=headers)

    app.add_exception_handler(ForegateError, foregate_error)
    app.add_exception_handler(OSError, store_error)  # who asks is told which and why; it is in the writers' logs
    app.add_exception_handler(RequestValidationError, validation_error)
    app.add_exception_handler(HTTPException, http_error)
