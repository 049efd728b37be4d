"""Which services a route's requests are said to be of: quotas and time limits are set by route and service."""

from collections.abc import Sequence

from foregate.wire.policies import Policies
from foregate.wire.snapshot import Route

Pair = tuple[str, str]  # route and service, as in an entity
Place = tuple[str, Policies]  # scope, as in the gateway's chains


def services_of(route: Route) -> Sequence[str]:
    """As in entities: of a route to models it is known only afterwards which of them answered."""
    if route.ai is not None:
        return ("", *route.ai.services)
    return [each.service for each in route.services] or ("",)
