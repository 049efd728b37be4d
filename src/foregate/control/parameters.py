"""Query parameters: an unknown or repeated one is refused with the nearest known name, never ignored."""

import difflib
from collections.abc import Iterable

from fastapi import Request
from fastapi.routing import APIRoute

from foregate.kernel.errors import ForegateError


def check_names(given: Iterable[str], known: set[str]) -> str | None:
    """What is wrong with the parameter names `given` (with repetitions), or None."""
    seen: set[str] = set()
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            allowed = ", ".join(sorted(known)) or "none"
            return f"{name}: unknown parameter; " + (f"did you mean {near[0]}?" if near else f"known here: {allowed}.")
        if name in seen:
            return f"{name}: given more than once."
        seen.add(name)
    return None


async def known_parameters(request: Request) -> None:
    """A dependency of every API route."""
    route = request.scope.get("route")
    if not isinstance(route, APIRoute):
        return
    known = {parameter.alias for parameter in route.dependant.query_params}
    wrong = check_names([name for name, _ in request.query_params.multi_items()], known)
    if wrong:
        raise ForegateError("invalid_parameter", wrong)
