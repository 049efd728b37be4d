"""What plans and keys bring along, kept once for all that bring the same."""

from foregate.gateway.policies.policy import OWN
from foregate.gateway.shapes import Shape, shapes_of
from foregate.wire.policies import Extension, Policies, Rate, RateLimit
from foregate.wire.snapshot import Key, Plan

GOLD = Plan("gold", Policies(priority=90))


def limited(rate: float = 10.0) -> Policies:
    return Policies(rate_limits=(RateLimit(rate=Rate(rate, 1.0)),))


def shapes(*keys: Key) -> dict[str, Shape]:
    making = shapes_of(keys, (GOLD, Plan("plain")), 1)
    while True:
        try:
            next(making)
        except StopIteration as done:
            return dict(done.value)


def test_keys_that_bring_the_same_have_one_shape_and_others_have_others() -> None:
    found = shapes(
        Key("a", "a", "", plan="gold", policies=limited()),
        Key("b", "b", "", plan="gold", policies=limited()),
        Key("c", "c", "", plan="plain", policies=limited()),
        Key("d", "d", "", plan="gold", policies=limited(11.0)),
        Key("e", "e", "", plan="gold"),
    )
    assert set(found) == {"plan:gold", "key:a", "key:b", "key:c", "key:d"}
    assert found["key:a"] is found["key:b"]
    assert len({found[key] for key in found}) == 4
    assert found["key:a"].places == [("plan:gold", GOLD.policies), (OWN, limited())]
    assert found["key:c"].places == [(OWN, limited())]
    assert found["plan:gold"].places == [("plan:gold", GOLD.policies)]


def test_extensions_of_a_key_are_its_own() -> None:
    policies = Policies(extensions=(Extension("mine"),))
    found = shapes(Key("a", "a", "", policies=policies), Key("b", "b", "", policies=policies))
    assert [shape.places[0][0] for name, shape in found.items() if name != "plan:gold"] == ["key:a", "key:b"]
