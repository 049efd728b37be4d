"""Asking the running console for a link that signs a browser in."""

import http.client
import json

from foregate.app.paths import DataDir
from foregate.app.runtime import Runtime

TIMEOUT_S = 5.0


def console_link(runtime: Runtime, data: DataDir) -> str:
    """A link that works once. Raises OSError when the console does not answer or does not take our token."""
    connection = http.client.HTTPConnection(runtime.console_host, runtime.console_port, timeout=TIMEOUT_S)
    try:
        headers = {"Authorization": f"Bearer {data.console_token()}"}
        connection.request("POST", "/api/v1/login-links", headers=headers)
        response = connection.getresponse()
        body = response.read()
    except http.client.HTTPException as error:
        raise OSError(f"the console's answer is not HTTP: {error!r}") from error
    finally:
        connection.close()
    if response.status != 201:
        raise OSError(f"the console answered {response.status}")
    return str(json.loads(body)["url"])
