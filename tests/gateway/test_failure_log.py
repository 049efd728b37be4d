"""A failure is told once with its traceback; a flood of them stays a few lines."""

from collections.abc import Callable

from tests.gateway.world import gateway, route, run, service, upstream

from foregate.gateway.failure_log import AGAIN_S, KINDS_MAX, FailureLog
from foregate.gateway.policies.policy import Policy
from foregate.wire.policies import Extension


class Told:
    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, object]]] = []
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.failures = FailureLog(lambda what, facts: self.lines.append((what, facts)), self._later)

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        self.timers.append((seconds, call))

    def time_passes(self) -> None:
        timers, self.timers = self.timers, []
        for _, call in timers:
            call()


def broken(secret: str) -> None:
    raise ValueError("no such drink")


def fail(told: Told, *, times: int = 1, policy: str = "teapot") -> None:
    for _ in range(times):
        try:
            broken("s3cret")
        except ValueError as error:
            told.failures.failed("policy_failed", error, policy=policy, route="r")


def test_the_first_failure_is_told_with_its_traceback_and_no_values() -> None:
    told = Told()
    fail(told)
    ((what, facts),) = told.lines
    assert (what, facts["policy"], facts["route"], facts["error"]) == (
        "policy_failed",
        "teapot",
        "r",
        "ValueError: no such drink",
    )
    trace = str(facts["exception"])
    assert 'raise ValueError("no such drink")' in trace
    assert "test_failure_log.py" in trace
    assert "s3cret" not in trace.replace('broken("s3cret")', "")


def test_repeats_are_counted_and_told_once_per_while() -> None:
    told = Told()
    fail(told, times=1_235)
    assert len(told.lines) == 1
    assert [seconds for seconds, _ in told.timers] == [AGAIN_S]
    told.time_passes()
    what, facts = told.lines[1]
    assert (what, facts["more"], facts["policy"]) == ("policy_failed_again", 1_234, "teapot")
    told.time_passes()
    assert len(told.lines) == 2
    fail(told, times=3)
    told.time_passes()
    assert told.lines[2][1]["more"] == 3


def test_policies_and_places_are_told_apart() -> None:
    told = Told()
    fail(told)
    fail(told, policy="kettle")
    try:
        raise ValueError("elsewhere")
    except ValueError as error:
        told.failures.failed("policy_failed", error, policy="teapot")
    assert [what for what, _ in told.lines] == ["policy_failed"] * 3


def test_kinds_beyond_the_bound_are_counted_together() -> None:
    told = Told()
    for number in range(KINDS_MAX + 50):
        fail(told, policy=f"p{number}")
    assert len(told.lines) == KINDS_MAX
    told.time_passes()
    ((what, facts),) = told.lines[KINDS_MAX:]
    assert (what, facts["more"]) == ("further_failures", 50)


def test_an_error_that_was_never_raised_and_a_long_one_are_told_too() -> None:
    told = Told()
    told.failures.failed("request_failed", TypeError("x" * 10_000))
    (_, facts) = told.lines[0]
    assert len(str(facts["error"])) <= 200
    assert len(str(facts["exception"])) < 1_000


class Broken(Policy):
    name = "broken"

    def admit(self, request: object) -> None:
        raise RuntimeError("at fault")


def test_a_policy_that_fails_with_every_request_writes_one_line() -> None:
    async def main() -> None:
        routes = [route("/", auth=(), extensions=(Extension("broken"),))]
        async with (
            upstream() as (_, port),
            gateway([service(port)], routes, extensions={"broken": lambda settings: Broken()}) as world,
        ):
            for _ in range(50):
                assert (await world.client.request("GET", world.url())).status == 500
            ((what, facts),) = world.log
            assert (what, facts["policy"]) == ("policy_failed", "broken")
            assert 'raise RuntimeError("at fault")' in str(facts["exception"])

    run(main)
