"""What plans and keys bring along of their own: kept once for all that bring the same."""

from collections.abc import Generator, Mapping, Sequence

import msgspec

from foregate.gateway.policies.policy import OWN
from foregate.wire.policies import NO_POLICIES, Policies
from foregate.wire.snapshot import Key, Plan

_Place = tuple[str, Policies]
_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(Policies).decode


class Shape:
    """The policies of a plan, and those that keys bring along beside it. These are kept as JSON, in a fifth of the
    memory: they are read when a chain is made.

    Keys with the same policies and plan have the same shape, and so the same chains: what is set on a key is `OWN`, for
    whoever asks. Only a key with extensions of its own has a shape to itself, because those may keep state.
    """

    __slots__ = ("_own", "_plan", "_scope")

    def __init__(self, plan: _Place | None, scope: str = "", own: bytes = b"") -> None:
        self._plan = plan
        self._scope = scope
        self._own = own

    @property
    def places(self) -> list[_Place]:
        """Where policies were set, the more general first, as `scopes.resolve` wants them."""
        places = [] if self._plan is None else [self._plan]
        return [*places, (self._scope, _decode(self._own))] if self._own else places


def shapes_of(
    keys: Sequence[Key], plans: Sequence[Plan], slice_keys: int
) -> Generator[None, None, Mapping[str, Shape]]:
    """The shape of each `Consumer.scope` that has one, made in slices of so many keys."""
    of_plans = {plan.name: (f"plan:{plan.name}", plan.policies) for plan in plans if plan.policies != NO_POLICIES}
    shapes = {plan[0]: Shape(plan) for plan in of_plans.values()}
    alike: dict[tuple[str, bytes], Shape] = {}
    for index, key in enumerate(keys):
        policies = key.policies
        if policies is not NO_POLICIES and policies != NO_POLICIES:
            scope, plan, own = f"key:{key.id}", of_plans.get(key.plan), _encode(policies)
            if policies.extensions:
                shapes[scope] = Shape(plan, scope, own)
            else:
                shape = alike.get((key.plan, own))
                if shape is None:
                    shape = alike[key.plan, own] = Shape(plan, OWN, own)
                shapes[scope] = shape
        if index % slice_keys == slice_keys - 1:
            yield
    return shapes
