"""The control plane: the console's API under /api/v1, its live stream, sign-in by token, and the console's files.

Consumes: the series and findings stores, the bus (read only), the snapshot in force, and what it asks of other planes
through the small Protocols in `control.deps`. Emits: JSON described by /api/v1/openapi.json, server-sent events, and
the commands that a person gives to the lab. Promises: every address but /health*, /login and the sign-in page's own
files wants the token; every error is problem+json; reads go on when the gateway, the analyzer or the lab is down, and
what is old is shown as old (a damaged store stops the start, with the way out); memory stays bounded whatever
subscribers do.
"""

from foregate.control.app import create_app
from foregate.control.deps import ControlDeps, LabClient, TelemetryQuery
from foregate.control.server import serve

__all__ = ["ControlDeps", "LabClient", "TelemetryQuery", "create_app", "serve"]
