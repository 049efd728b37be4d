"""Ten thousand routes are built in steps too small to be noticed by anybody's request."""

import time

from foregate.gateway.match import Match, RouterBuilder
from foregate.wire.match import HeaderRule, Rule

ROUTES = 10_000
STEP_S_MAX = 0.002


def rule(number: int) -> Rule:
    path = f"/api/v{number % 7}/service-{number}"
    if number % 3 == 0:
        return Rule(path)
    if number % 3 == 1:
        conditions = (HeaderRule("x-version", "exact", "1"),)
        return Rule(path + "/{id}", "template", hosts=("a.com", "*.b.com"), methods=("GET",), headers=conditions)
    return Rule(path + r"/(\d+)", "regex", hosts=(f"h{number}.example.com",))


def test_no_step_blocks_and_the_router_is_whole() -> None:
    """Judged by the thread's own CPU time, and by all but a few steps: the others are the machine's, not ours."""
    builder: RouterBuilder[int] = RouterBuilder()
    slow = 0
    for number in range(ROUTES):
        made = rule(number)
        started_s = time.thread_time()
        builder.add(made, number)
        slow += time.thread_time() - started_s > STEP_S_MAX
    steps = builder.sealing()
    while True:
        started_s = time.thread_time()
        more = next(steps, "done")
        slow += time.thread_time() - started_s > STEP_S_MAX
        if more == "done":
            break
    assert slow <= 30  # of some 40,000 steps: garbage collections
    started_s = time.thread_time()
    router = builder.build()
    assert time.thread_time() - started_s < STEP_S_MAX * 5
    headers = [(b"x-version", b"1")]
    for number, host in ((9_999, b"any"), (9_997, b"x.b.com"), (9_998, b"h9998.example.com:80")):
        path = f"/api/v{number % 7}/service-{number}/42".encode()
        found = router.find(b"GET", host, path, b"", headers)
        assert isinstance(found, Match)
        assert found.value == number
