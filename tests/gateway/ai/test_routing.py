"""Which models may answer for a name, and in which order they are asked."""

import pytest

from foregate.gateway.ai.health import Measured
from foregate.gateway.ai.models import Candidate, Catalogue, allowed, entry_for
from foregate.gateway.ai.routing import ordered
from foregate.gateway.ai.usage import Usage
from foregate.wire.ai import AiRoute, Model, ModelRoute, Price, Provider, Routing

DEAR, CHEAP = Model(price=Price(input=10.0, output=20.0)), Model(price=Price(input=1.0, output=90.0))
PROVIDERS = {
    "one": Provider("openai", {"m": DEAR, "only-one": Model(), "x/y": Model()}, key="k" * 8),
    "two": Provider("openai-compatible", {"m": CHEAP, "m-*": Model(), "m-large-*": Model(name="huge")}),
}
SOME = Usage(100, 100)
WELL = Measured(False, 0.0, 0.0, 100.0)


def catalogue(**models: ModelRoute) -> Catalogue:
    return Catalogue(AiRoute(services=("one", "two"), models=models), PROVIDERS)


def asked(made: Catalogue, model: str, states: dict[str, Measured] | None = None, tokens: Usage = SOME) -> list[str]:
    plan = made.plan(model)
    assert plan is not None

    def measured(candidate: Candidate) -> Measured:
        return (states or {}).get(candidate.service, WELL)

    return [candidate.label for candidate in ordered(plan, measured, lambda _: tokens, 4)]


def test_a_name_means_that_model_of_every_service_that_has_it_in_their_order() -> None:
    assert asked(catalogue(), "m") == ["one/m", "two/m"]
    assert asked(catalogue(), "only-one") == ["one/only-one"]
    assert asked(catalogue(), "two/m") == ["two/m"]
    assert asked(catalogue(), "x/y") == ["one/x/y"]  # a slash in a name is no service
    assert catalogue().plan("nobody") is None


def test_names_that_could_not_stand_in_a_log_mean_nothing_whatever_the_patterns() -> None:
    every = Catalogue(AiRoute(services=("two",)), {"two": Provider("openai-compatible", {"*": Model()})})
    assert every.plan("x" * 128) is not None
    for name in ("x" * 129, "a b", "a\nb", "", "é"):
        assert every.plan(name) is None
    assert len(every._known) == 1


def test_the_very_name_goes_before_patterns_and_the_longest_pattern_before_others() -> None:
    assert asked(catalogue(), "m-small") == ["two/m-small"]
    assert asked(catalogue(), "m-large-1") == ["two/huge"]
    assert entry_for("ab", ["*", "a*", "*b", "ab"]) == "ab"
    assert entry_for("a", ["a*a", "b"]) is None
    assert allowed("gpt-5", ("gpt-*",))
    assert not allowed("claude", ("gpt-*",))


def test_an_alias_has_its_own_models_and_its_fallbacks_come_after_them_once() -> None:
    made = catalogue(smart=ModelRoute(to=("only-one", "two/m"), fallback=("m",)))
    assert asked(made, "smart") == ["one/only-one", "two/m", "one/m"]


@pytest.mark.parametrize(
    ("routing", "first"),
    [("order", "one/m"), ("cost", "two/m"), ("latency", "two/m"), ("health", "two/m")],
)
def test_routing_chooses_by_what_it_says(routing: Routing, first: str) -> None:
    made = catalogue(m=ModelRoute(routing=routing))
    states = {"one": Measured(False, 0.0, 0.3, 900.0), "two": Measured(False, 0.0, 0.0, 100.0)}
    found = asked(made, "m", states, Usage(1_000, 10))
    assert (found[0], len(found)) == (first, 2)


def test_cost_is_that_of_the_expected_tokens() -> None:
    made = catalogue(m=ModelRoute(routing="cost"))
    assert asked(made, "m", tokens=Usage(1_000, 10))[0] == "two/m"
    assert asked(made, "m", tokens=Usage(10, 1_000))[0] == "one/m"


def test_who_is_avoided_comes_last_the_one_that_may_be_tried_soonest_first() -> None:
    made = catalogue(m=ModelRoute(fallback=("only-one",)))
    down = Measured(True, 9.0, 1.0, 10.0)
    assert asked(made, "m", {"one": down}) == ["two/m", "one/m", "one/only-one"]
    assert asked(made, "m", {"one": down, "two": Measured(True, 5.0, 1.0, 10.0)})[0] == "two/m"


def test_names_are_listed_and_patterns_are_not() -> None:
    assert catalogue(smart=ModelRoute(to=("two/m",))).names() == [
        ("m", "one"), ("only-one", "one"), ("smart", "two"), ("x/y", "one"),
    ]  # fmt: skip
