"""What plans and keys bring along of their own: kept once for all that bring the same."""

from collections.abc import Generator, Mapping, Sequence

import msgspec

from foregate.gateway.policies.policy import OWN
from foregate.wire.policies import NO_POLICIES, Policies
from foregate.wire.snapshot import Key, Plan

_encode = msgspec.json.Encoder(order="deterministic").encode


class Shape:
    """`places`: where policies were set, the more general first, as `scopes.resolve` wants them.

    Keys with the same policies and plan have the same shape, and so the same chains: what is set on a key is `OWN`, for
    whoever asks. Only a key with extensions of its own has a shape to itself, because those may keep state.
    """

    __slots__ = ("places",)

    def __init__(self, places: Sequence[tuple[str, Policies]]) -> None:
        self.places = tuple(places)


def shapes_of(
    keys: Sequence[Key], plans: Sequence[Plan], slice_keys: int
) -> Generator[None, None, Mapping[str, Shape]]:
    """The shape of each `Consumer.scope` that has one, made in slices of so many keys."""
    of_plans = {plan.name: (f"plan:{plan.name}", plan.policies) for plan in plans if plan.policies != NO_POLICIES}
    shapes = {place[0]: Shape([place]) for place in of_plans.values()}
    alike: dict[tuple[str, bytes], Shape] = {}
    for index, key in enumerate(keys):
        own = key.policies
        if own is not NO_POLICIES and own != NO_POLICIES:
            scope = f"key:{key.id}"
            general = [of_plans[key.plan]] if key.plan in of_plans else []
            if own.extensions:
                shapes[scope] = Shape([*general, (scope, own)])
            else:
                same = key.plan, _encode(own)
                shape = alike.get(same)
                if shape is None:
                    shape = alike[same] = Shape([*general, (OWN, own)])
                shapes[scope] = shape
        if index % slice_keys == slice_keys - 1:
            yield
    return shapes
