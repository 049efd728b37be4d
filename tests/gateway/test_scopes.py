"""Which of several policies holds."""

from foregate.gateway.scopes import Set, resolve, without_route
from foregate.wire.policies import Bounds, IpFilter, Policies, Quota, Rate, RateLimit, Timeouts


def test_the_most_specific_place_wins_policy_by_policy() -> None:
    general = Policies(timeouts=Timeouts(1.0), priority=10)
    service = Policies(timeouts=Timeouts(2.0))
    key = Policies(priority=90)
    found = resolve([("", general), ("service:a", service), ("route:r", Policies()), ("key:k", key)]).one
    assert found["timeouts"] == Set("service:a", Timeouts(2.0))
    assert found["priority"] == Set("key:k", 90)
    assert "retry" not in found


def test_lists_are_joined_and_an_entry_is_replaced_by_its_name() -> None:
    a, b, c = (RateLimit(name, rate=Rate(1, 1)) for name in "abc")
    own_a = RateLimit("a", rate=Rate(9, 1))
    found = resolve([("", Policies(rate_limits=(a, b))), ("route:r", Policies(rate_limits=(own_a, c)))])
    assert found.many["rate_limits"] == (Set("route:r", own_a), Set("", b), Set("route:r", c))
    assert found.many["quotas"] == ()


def test_without_a_route_only_what_goes_by_address_and_form_holds() -> None:
    by_ip = RateLimit(name="i", by="ip", rate=Rate(1.0, 1.0))
    address = IpFilter(deny=("10.0.0.0/8",))
    general = Policies(
        ip_filter=address,
        bounds=Bounds(),
        timeouts=Timeouts(1.0),
        rate_limits=(RateLimit(name="k", by="key", rate=Rate(1.0, 1.0)), by_ip),
        quotas=(Quota(limit=1, period="day", by="ip"),),
    )
    assert without_route(general) == Policies(ip_filter=address, bounds=Bounds(), rate_limits=(by_ip,))
