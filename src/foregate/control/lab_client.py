"""The lab's control endpoint over HTTP on loopback."""

import http.client
import json
from typing import Any
from urllib.parse import quote, urlsplit

from foregate.kernel.errors import ForegateError

TIMEOUT_S = 2.0
_HANDED_ON = frozenset({"not_found", "conflict"})  # the lab's refusals that mean the same from us
ANSWER_BYTES_MAX = 1_048_576  # a longer answer is refused as OSError


class HttpLabClient:
    """A `LabClient`. Blocking; a connection per call, so it needs no lock and outlives the lab's restarts."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80

    def faults(self) -> dict[str, Any]:
        return self._ask("GET", "/faults")

    def start(self, command: dict[str, Any]) -> dict[str, Any]:
        return self._ask("POST", "/faults", command)

    def stop(self, fault_id: str) -> None:
        self._ask("DELETE", f"/faults/{quote(fault_id, safe='')}")

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_S)
        try:
            headers = {"Content-Type": "application/json"} if body is not None else {}
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            response = connection.getresponse()
            payload = response.read(ANSWER_BYTES_MAX + 1)
        except http.client.HTTPException as error:
            raise OSError(f"the lab's answer is not HTTP: {error!r}") from error
        finally:
            connection.close()
        return _understood(response.status, payload)


def _understood(status: int, payload: bytes) -> dict[str, Any]:
    """The answer's JSON object ({} when empty); a 4xx becomes the ForegateError it stands for."""
    if len(payload) > ANSWER_BYTES_MAX:
        raise OSError("the lab's answer is too long")
    try:
        answer = json.loads(payload) if payload else {}
    except ValueError as error:
        raise OSError("the lab's answer is not JSON") from error
    if not isinstance(answer, dict) or status >= 500:
        raise OSError(f"the lab answered {status}")
    if status >= 400:
        detail = str(answer.get("detail") or answer.get("title") or f"the lab answered {status}")
        code = str(answer.get("code"))
        raise ForegateError(code if code in _HANDED_ON else "invalid_parameter", detail)
    return answer
