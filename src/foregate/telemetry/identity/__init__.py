"""Who and what an item of telemetry is about: routes of bounded number, and OpenTelemetry's names for our fields.

Consumes paths and attributes; gives templates, routes and fields. Promises: a path's template never depends on who
asks or when; what is learned of routes is bounded in memory, and one service never changes another's.
"""

from foregate.telemetry.identity.routes import OTHER, Routes
from foregate.telemetry.identity.templates import template

__all__ = ["OTHER", "Routes", "template"]
