"""What is learned of a model from its answers: avoided when broken, tried again, never twice at once."""

from foregate.gateway.ai.health import FAILURES_MAX, MODELS_MAX, OPEN_S, OPEN_S_MAX, HealthBook, ModelHealth


def broken(now_s: float = 0.0) -> ModelHealth:
    health = ModelHealth()
    for _ in range(FAILURES_MAX):
        health.failed(now_s)
    return health


def test_failures_in_a_row_open_it_and_one_good_answer_forgets_them() -> None:
    health = ModelHealth()
    for _ in range(FAILURES_MAX - 1):
        assert not health.failed(0.0)
    health.answered(100.0, False)
    for _ in range(FAILURES_MAX - 1):
        assert not health.failed(0.0)
    assert health.failed(0.0)
    assert health.measured(OPEN_S - 0.1, True).open


def test_a_stream_is_good_when_it_has_ended_not_when_it_has_begun() -> None:
    health = ModelHealth()
    for _ in range(FAILURES_MAX - 1):
        health.answered(100.0, True)
        assert not health.failed(0.0)
    health.answered(100.0, True)
    health.ended()
    for _ in range(FAILURES_MAX - 1):
        health.answered(100.0, True)
        assert not health.failed(0.0)
    health.answered(100.0, True)
    assert health.failed(0.0)


def test_after_its_pause_one_request_tries_it_and_the_others_go_elsewhere() -> None:
    health = broken()
    assert not health.measured(OPEN_S, True).open
    health.began(OPEN_S)
    assert health.measured(OPEN_S, True).open
    health.answered(50.0, False)
    assert not health.measured(OPEN_S, True).open


def test_a_trial_that_fails_doubles_the_pause_up_to_a_bound_and_one_that_says_nothing_does_not() -> None:
    health, now_s, pauses = broken(), OPEN_S, []
    for _ in range(6):
        health.began(now_s)
        health.undecided()
        assert not health.measured(now_s, True).open
        health.began(now_s)
        assert not health.failed(now_s)  # it was avoided already: nothing to tell anybody
        again_s = health.measured(now_s, True).opens_again_s
        pauses.append(again_s - now_s)
        now_s = again_s
    assert pauses == [2 * OPEN_S, 4 * OPEN_S, 8 * OPEN_S, OPEN_S_MAX, OPEN_S_MAX, OPEN_S_MAX]


def test_a_provider_that_says_how_long_is_left_alone_for_so_long_within_reason() -> None:
    health = ModelHealth()
    assert health.failed(0.0, wait_s=20.0)
    assert health.measured(19.9, False).open
    assert not health.measured(20.0, False).open
    health = ModelHealth()
    health.failed(0.0, wait_s=86_400.0)
    assert not health.measured(OPEN_S_MAX, False).open


def test_streams_and_whole_answers_are_measured_apart() -> None:
    health = ModelHealth()
    for _ in range(50):
        health.answered(200.0, True)
        health.answered(5_000.0, False)
    assert (round(health.measured(0.0, True).latency_ms), round(health.measured(0.0, False).latency_ms)) == (200, 5_000)
    health.failed(0.0)
    assert 0.0 < health.measured(0.0, True).error_rate < 0.2


def test_as_many_are_known_as_may_be_and_the_one_asked_longest_ago_goes() -> None:
    book = HealthBook()
    first = book.of("s", "first")
    for number in range(MODELS_MAX - 1):
        book.of("s", str(number))
    assert book.of("s", "first") is first
    book.of("s", "one more")
    assert book.of("s", "first") is first
    book.of("s", "0")
    assert len(book._known) == MODELS_MAX
