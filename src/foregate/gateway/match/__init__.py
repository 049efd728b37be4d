"""From a request's path to its route: longest prefix on segment borders, at a cost that does not grow with routes."""

from foregate.gateway.match.prefixes import UNSAFE, Prefixes

__all__ = ["UNSAFE", "Prefixes"]
