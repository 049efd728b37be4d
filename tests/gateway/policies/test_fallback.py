"""Which failures are answered by something else."""

from foregate.gateway.policies.fallback import applies, fixed_head
from foregate.wire.policies import Fallback


def test_it_applies_to_the_failures_it_names_alone() -> None:
    settings = Fallback(body="{}", on=("circuit_open", "503"))
    assert [applies(settings, failure) for failure in ("circuit_open", "503", "502", "key_missing")] == [
        True, True, False, False,
    ]  # fmt: skip


def test_its_answer_says_that_it_is_one() -> None:
    assert b"x-gateway-fallback: 1\r\n" in fixed_head(Fallback(body="{}"))
    assert b"content-type: application/json\r\n" in fixed_head(Fallback(body="{}"))


def test_it_needs_either_a_service_or_a_body() -> None:
    assert Fallback().problem()
    assert Fallback(service="a", body="b").problem()
    assert Fallback(service="a").problem() is None
