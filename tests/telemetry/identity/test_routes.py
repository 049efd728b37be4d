"""Routes of services that are not ours: few, whatever comes, and the same whenever the same came."""

import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foregate.telemetry.identity import OTHER, Routes
from foregate.telemetry.identity.routes import FAMILIAR_SEEN, LEARNED_MAX, ROUTES_MAX, SERVICES_MAX, VALUES_MAX


def _word(number: int) -> str:
    """A name that no rule takes for an id."""
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


def test_a_position_with_many_names_holds_values() -> None:
    routes = Routes().of("acme", "shop")
    for _ in range(FAMILIAR_SEEN):
        assert routes.of_path("/tags/popular") == "/tags/popular"
    found = [routes.of_path(f"/tags/{_word(number)}/posts") for number in range(1_000)]
    assert found[0] == "/tags/a/posts"
    assert set(found[VALUES_MAX:]) == {"/tags/{value}/posts"}
    assert routes.of_path("/tags/a/posts") == "/tags/{value}/posts"  # it was rare: now it is a value, too
    assert routes.of_path("/tags/popular") == "/tags/popular"
    assert routes.of_path("/carts/42") == "/carts/{id}"


def test_merging_gives_room_back() -> None:
    routes = Routes().of("acme", "shop")
    for number in range(20_000):
        routes.of_path(f"/tags/{_word(number)}/posts/{_word(number % 7)}")
    assert routes.of_path("/new") == "/new"


def test_merging_gives_room_back_to_all_services(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foregate.telemetry.identity.routes.LEARNED_MAX", 300)
    routes = Routes()
    for number in range(20):
        for name in range(VALUES_MAX + 1):
            routes.of("acme", f"s{number}").of_path(f"/{_word(name)}")
    assert routes.of("acme", "late").of_path("/a") == "/a"


def test_a_service_has_a_bounded_number_of_routes() -> None:
    routes = Routes().of("acme", "shop")
    found = {routes.of_path(f"/{_word(one)}/{_word(two)}") for one in range(60) for two in range(60)}
    assert len(found) == ROUTES_MAX + 1
    assert OTHER in found
    assert routes.given("/{named}/by/its/sender") == OTHER


def test_routes_that_are_named_are_taken_as_they_are_and_bounded() -> None:
    routes = Routes().of("acme", "shop")
    found = [routes.given(f"/users/{number}") for number in range(ROUTES_MAX + 50)]
    assert found == [f"/users/{number}" for number in range(ROUTES_MAX)] + [OTHER] * 50


def test_services_are_apart_and_bounded() -> None:
    routes = Routes()
    for number in range(VALUES_MAX + 1):
        routes.of("acme", "one").of_path(f"/{_word(number)}")
    assert routes.of("acme", "two").of_path("/a") == "/a"
    assert routes.of("other", "one").of_path("/a") == "/a"
    for number in range(SERVICES_MAX):
        routes.of("acme", f"s{number}").of_path("/a")
    assert routes.of("acme", "one too many").of_path("/a") == OTHER
    assert routes.of("other", "still room").of_path("/a") == "/a"


def test_one_organisation_leaves_room_for_the_others() -> None:
    routes = Routes()
    for number in range(LEARNED_MAX // ROUTES_MAX + 1):
        for one in range(ROUTES_MAX):
            routes.of("greedy", f"s{number}").given(f"/r/{one}")
    assert routes.of("acme", "shop").of_path("/a") == "/a"


def test_threads_may_share_what_is_learned() -> None:
    routes = Routes()

    def learn(begin: int) -> set[str]:
        shop = routes.of("acme", "shop")
        return {shop.of_path(f"/{_word(one % 97)}/{_word(begin + one)}/{_word(one % 5)}") for one in range(3_000)}

    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as threads:
            found = set().union(*threads.map(learn, (0, 1_000, 2_000, 3_000)))
    finally:
        sys.setswitchinterval(usual)
    assert routes.of("acme", "shop").of_path("/new") == "/{value}"
    assert len(found) <= 4 * (ROUTES_MAX + 1)


def test_all_services_together_take_bounded_memory() -> None:
    routes = Routes()
    tracemalloc.start()
    for number in range(LEARNED_MAX // ROUTES_MAX + 50):
        service = routes.of("acme", f"s{number}")
        for one in range(ROUTES_MAX + 20):
            service.given(f"/r/{one}")
    current_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert routes.of("acme", "late").given("/a") == OTHER
    assert current_bytes < 40_000_000


_WALK = st.lists(
    st.tuples(st.integers(0, 90).map(_word), st.integers(0, 90).map(_word)).map(lambda pair: "/" + "/".join(pair)),
    max_size=400,
)


@settings(max_examples=40, derandomize=True, deadline=None)
@given(_WALK)
def test_the_same_paths_in_the_same_order_have_the_same_routes(paths: list[str]) -> None:
    first, second = Routes().of("a", "s"), Routes().of("a", "s")
    found = [first.of_path(path) for path in paths]
    assert found == [second.of_path(path) for path in paths]
    for path, route in zip(paths, found, strict=True):
        asked, said = path.split("/"), route.split("/")
        assert route == OTHER or all(name in (part, "{value}") for part, name in zip(asked, said, strict=True))
    assert len({first.of_path(path) for path in paths}) <= ROUTES_MAX + 1
