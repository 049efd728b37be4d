"""The OpenAPI document: what FastAPI derives, without the answers we never give and with how to sign in."""

from typing import Any

from fastapi import FastAPI


def describe(app: FastAPI) -> None:
    """Make `app.openapi()` give the corrected document, built once."""
    derive = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = correct(derive())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def correct(document: dict[str, Any]) -> dict[str, Any]:
    """Validation errors of requests are 400 problems here; every operation wants the token or the session."""
    for path in document["paths"].values():
        for operation in path.values():
            if "HTTPValidationError" in str(operation["responses"].get("422")):
                del operation["responses"]["422"]
            _problems_have_their_type(operation["responses"])
    components = document["components"]
    for name in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(name, None)
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "The token that `foregate up` prints."},
        "session": {"type": "apiKey", "in": "cookie", "name": "foregate_session"},
    }
    document["security"] = [{"token": []}, {"session": []}]
    return document


def _problems_have_their_type(responses: dict[str, Any]) -> None:
    for status, response in responses.items():
        if status.startswith("4") and "application/json" in response.get("content", {}):
            response["content"] = {"application/problem+json": response["content"]["application/json"]}
