"""What does not fit together about mirrors."""

from collections.abc import Iterator

from foregate.app.config.problems import Path, did_you_mean
from foregate.app.config.schema import Config, Route
from foregate.wire.policies import Policies

Found = tuple[Path, str]  # where, and the sentence


def bad_mirror(config: Config, policies: Policies, path: Path) -> Iterator[Found]:
    """A mirror set at one place."""
    mirror = policies.mirror
    if mirror is None:
        return
    if mirror.service not in config.services:
        hint = did_you_mean(mirror.service, config.services)
        yield (*path, "mirror", "service"), f'there is no service "{mirror.service}"{hint}'
    elif path[:2] == ("services", mirror.service):
        yield (*path, "mirror", "service"), "is this service itself"


def bad_mirrored(config: Config, route: Route, path: Path) -> Iterator[Found]:
    """What holds for a route, wherever it is set: answers out of the cache have nothing to be compared with."""
    for share in route.shares:
        service = config.services.get(share.service)
        places = (route.policies, *((service.policies,) if service is not None else ()), config.policies)
        mirror = next((place.mirror for place in places if place.mirror is not None), None)
        if mirror is None:
            continue
        if mirror.service == share.service:
            yield path, f'is mirrored to "{mirror.service}", which answers it already'
        elif any(place.cache is not None for place in places):
            yield path, "has both a mirror and a cache: set one of them, answers out of a cache are not mirrored"
