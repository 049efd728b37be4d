"""Refusals in the words of the API that the client speaks: one error object instead of a problem document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foregate.gateway.ai.formats import FORMAT_OF_PATH, FORMATS
from foregate.gateway.policies.policy import Refuse
from foregate.kernel.errors import ERRORS

if TYPE_CHECKING:
    from foregate.gateway.ai.formats.format import Format
    from foregate.gateway.request import Request

MODELS_PATH = b"/v1/models"
STATUS, MESSAGE, CODE, PARAM = "status", "message", "code", "param"  # members of a refusal that say it otherwise


def asked_path(request: Request) -> bytes:
    """What is asked for under the route's own path, as `/v1/…`, whether or not that path ends with /v1 already."""
    path = request.path[request.end :].rstrip(b"/")
    if not path.startswith(b"/"):
        path = b"/" + path
    return path if path.startswith(b"/v1/") else b"/v1" + path


def spoken(request: Request) -> Format:
    """The API that the client speaks, as far as that can be told; else OpenAI's, which most understand."""
    found = FORMAT_OF_PATH.get(asked_path(request))
    if found is not None:
        return found
    anthropic = request.header(b"anthropic-version") is not None
    return FORMATS["anthropic-messages" if anthropic else "openai-chat"]


def told(request: Request, refusal: Refuse) -> tuple[int, bytes]:
    """Status and body. A provider's own error, passed on, stands in `members`."""
    spec = ERRORS[refusal.code]
    members = refusal.members or {}
    status = int(members.get(STATUS, spec.status))
    message = str(members.get(MESSAGE) or refusal.detail or spec.title)
    code = str(members.get(CODE) or refusal.code)
    return status, spoken(request).error_body(status, message, code, str(members.get(PARAM, "")))
