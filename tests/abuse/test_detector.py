"""The detector's bounds, its clocks and its edges."""

from bench.attacks import digest, event

from foregate.abuse import Detector, Finding
from foregate.abuse.client import Client
from foregate.abuse.detector import LATE_SLICES, WORTH_REQUESTS
from foregate.wire.abuse import Abuse
from foregate.wire.event import RequestEvent

NOW_S = 1_700_000_000.0


def made(clients_max: int = 100, **settings: object) -> Detector:
    return Detector(Abuse(mode="block", **settings), clients_max=clients_max, digest=digest)  # type: ignore[arg-type]


def sweep(count: int, from_s: float = NOW_S, client: str = "192.0.2.1", error: str = "") -> list[RequestEvent]:
    return [event(from_s + n * 0.05, client, f"/x{n}.php", 403 if error else 404, "", "", error) for n in range(count)]


def rules(findings: list[Finding]) -> set[str]:
    return {finding.rule for finding in findings}


def test_a_million_addresses_that_ask_once_push_nobody_out_and_take_no_room() -> None:
    detector = made()
    regular = [event(NOW_S + n * 0.1, f"192.0.2.{n % 50}", "/a", 200) for n in range(1_000)]
    detector.add(regular)
    flood = [event(NOW_S + 100.0 + n * 1e-3, f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", "/", 200) for n in range(20_000)]
    for start in range(0, len(flood), 500):
        detector.add(flood[start : start + 500])
    assert detector.clients <= 100
    assert sum(f"ip:192.0.2.{n}" in detector._clients for n in range(50)) == 50


def test_in_a_full_table_one_who_asks_often_gets_a_place_and_is_found() -> None:
    detector = made(clients_max=50)
    detector.add([event(NOW_S + n * 0.01, f"192.0.2.{n % 50}", "/a", 200) for n in range(500)])
    assert detector.clients == 50
    found: list[Finding] = []
    for start in range(0, 100, 10):
        found += detector.add(sweep(100, NOW_S + 5.0, "203.0.113.1")[start : start + 10])
    assert rules(found) == {"sweep"}
    assert detector.clients == 50
    assert WORTH_REQUESTS <= 10


def test_memory_of_one_client_does_not_grow_with_what_it_asks() -> None:
    assert not hasattr(Client("ip:192.0.2.1", 0, NOW_S), "__dict__")
    detector = made()
    detector.add(sweep(5_000))
    client = detector._clients["ip:192.0.2.1"]
    assert client.paths.bit_length() <= 512


def test_different_paths_are_counted_within_ten_percent() -> None:
    for different in (10, 40, 150, 600):
        client = Client("ip:192.0.2.1", 0, NOW_S)
        for n in range(different * 3):
            client.failed_at(digest(f"/p/{n % different}/{n % different * 7919:x}"))
        assert abs(client.different_paths - different) <= max(0.12 * different, 3.0)


def test_what_a_block_refuses_is_no_new_evidence() -> None:
    detector = made()
    assert rules(detector.add(sweep(60))) == {"sweep"}
    detector.hold("ip:192.0.2.1", NOW_S + 60.0)
    assert detector.add(sweep(500, NOW_S + 3.0, error="blocked")) == []
    assert detector.add(sweep(500, NOW_S + 30.0)) == []  # stragglers, and all that comes while it is only observed
    assert detector.add(sweep(5, NOW_S + 61.0)) == []
    assert rules(detector.add(sweep(20, NOW_S + 61.5))) == {"sweep"}  # a quarter of the evidence is enough now
    detector.release("ip:192.0.2.1", NOW_S + 4_000.0)
    assert detector.add(sweep(500, NOW_S + 70.0)) == []


def test_a_retrying_client_is_not_blocked_again_for_having_been_blocked() -> None:
    detector = made()
    detector.hold("ip:192.0.2.1", NOW_S + 60.0)
    polling = [event(NOW_S + n * 0.5, "192.0.2.1", "/jobs", 403, "/jobs", "", "blocked") for n in range(120)]
    after = [event(NOW_S + 60.0 + n * 0.5, "192.0.2.1", "/jobs", 200, "/jobs") for n in range(120)]
    assert detector.add(polling + after) == []


def test_undone_means_that_what_it_does_becomes_usual() -> None:
    detector = made()
    detector.release("key:batch", NOW_S + 600.0)
    burst = [event(NOW_S + n * 0.01, "192.0.2.9", "/a", 200, "/a", "batch") for n in range(60_000)]
    again = [event(NOW_S + 900.0 + n * 0.01, "192.0.2.9", "/a", 200, "/a", "batch") for n in range(6_000)]
    found: list[Finding] = []
    for start in range(0, len(burst), 500):
        found += detector.add(burst[start : start + 500])
    for start in range(0, len(again), 500):
        found += detector.add(again[start : start + 500])
    assert found == []


def test_addresses_of_one_ipv6_network_are_one_client() -> None:
    detector = made()
    found = detector.add([event(NOW_S + n * 0.05, f"2001:db8:1:2::{n:x}", f"/x{n}.php", 404, "") for n in range(60)])
    assert {finding.subject for finding in found} == {"ip:2001:db8:1:2::/64"}


def test_a_client_without_an_address_is_judged_by_its_key_alone() -> None:
    detector = made()
    events = [event(NOW_S + n * 0.05, "", f"/x{n}.php", 404, "", "k") for n in range(60)]
    assert {finding.subject for finding in detector.add(events)} == {"key:k"}
    assert detector.clients == 1


def test_a_clock_that_is_set_back_stops_nothing() -> None:
    detector = made()
    detector.add([event(NOW_S + 50_000.0, "192.0.2.1", "/a", 200)])
    assert rules(detector.add(sweep(60))) == {"sweep"}
    assert LATE_SLICES * 2.0 < 50_000.0


def test_visitors_are_counted_by_the_hour_and_outlive_a_restart() -> None:
    hour_s = NOW_S // 3_600 * 3_600
    detector = made(clients_max=10_000)
    detector.add([event(hour_s + n * 0.1, f"10.0.{n % 5_000 >> 8}.{n % 5_000 & 255}", "/", 200) for n in range(9_000)])
    assert abs(detector.visitors.estimate / 5_000 - 1.0) < 0.035
    after = made()
    after.resume(detector.hour, bytes(detector.visitors), bytes(detector.visitors_before))
    assert after.visitors.estimate == detector.visitors.estimate
    after.add([event(hour_s + 3_601.0, "10.9.9.9", "/", 200)])
    assert round(after.visitors.estimate) == 1
    assert after.visitors_before.estimate == detector.visitors.estimate
    after.add([event(hour_s + 3 * 3_600.0, "10.9.9.9", "/", 200)])
    assert after.visitors_before.estimate == 0.0


def test_new_settings_hold_from_then_on() -> None:
    detector = made(missing_paths=1_000)
    assert detector.add(sweep(60)) == []
    detector.configure(Abuse(missing_paths=40))
    assert rules(detector.add(sweep(5, NOW_S + 4.0))) == {"sweep"}


def test_sign_ins_that_succeed_among_many_in_vain_are_said() -> None:
    statuses = [401] * 30 + [200] * 3 + [401] * 20
    events = [event(NOW_S + n * 0.05, "192.0.2.1", "/login", status, "/login") for n, status in enumerate(statuses)]
    (found,) = made().add(events)
    assert found.rule == "credential_stuffing"
    assert "3 succeeded among them" in found.reason
    assert "/login" in found.reason


def test_a_challenge_before_each_success_is_no_attack() -> None:
    """As with Basic and Negotiate: 401 first, then the answer."""
    statuses = [401, 200] * 100
    events = [event(NOW_S + n * 0.2, "192.0.2.1", "/a", status, "/a") for n, status in enumerate(statuses)]
    assert made().add(events) == []


def test_paths_of_two_minutes_ago_do_not_count_with_those_of_now() -> None:
    """Who polls a little that is gone, for hours, has not swept."""
    client = Client("ip:192.0.2.1", 0, NOW_S)
    for n in range(100):
        client.failed_at(digest(f"/p/{n}"))
    client.go_on(30)
    assert client.different_paths > 80.0
    client.go_on(60)
    assert client.different_paths == 0.0


def test_a_page_whose_token_has_expired_asks_for_everything_at_once_and_is_left_alone() -> None:
    denied = [event(NOW_S + n * 0.01, "192.0.2.1", f"/a/{n:x}", 401, "/a") for n in range(60)]
    then = [event(NOW_S + 1.5 + n * 0.01, "192.0.2.1", f"/a/{n:x}", 200, "/a") for n in range(60)]
    detector = made()
    assert detector.add(denied) == []
    assert detector.add(then) == []
    assert detector.add([event(NOW_S + 3.0, "192.0.2.1", "/b", 404, "/b")]) == []


def test_a_map_viewer_and_a_crawler_who_find_what_they_count_through_are_no_enumeration() -> None:
    detector = made()
    found: list[Finding] = []
    for minute in range(4):
        for step in range(12):
            at_s = NOW_S + 60.0 * minute + 5.0 * step
            tiles = [(f"/7/{x}/{y}", at_s + 0.01 * (6 * x + y)) for x in range(6) for y in range(6)]
            found += detector.add([event(when_s, "192.0.2.1", path, 200, "/tiles") for path, when_s in tiles])
        numbers = range(120 * minute, 120 * minute + 120)
        articles = [event(NOW_S + 0.5 * n, "192.0.2.2", f"/articles/{n}", 200, "/articles") for n in numbers]
        found += detector.add(articles)
    assert found == []


def test_counting_through_what_is_often_not_there_is_found_soon() -> None:
    events = [
        event(NOW_S + 0.2 * n, "192.0.2.1", f"/orders/{n}", 404 if n % 8 == 0 else 200, "/orders") for n in range(200)
    ]
    assert "enumeration" in rules(made().add(events))
