"""For all tests: what was imported and collected lives to the end, so the collector need not look at it each time; the
slow ones are spread among the others; and a test that hangs ends, whatever it hangs in."""

import faulthandler
import gc
import os
import sys
from collections import Counter
from collections.abc import Generator, Iterator
from itertools import chain, groupby

import hypothesis
import pytest
import pytest_timeout
from tests.ports.kafka_server import REAL_BROKERS, KafkaServer, kafka_server
from tests.ports.postgres_server import PostgresServer, postgres_server
from tests.spreading import spread

_ADAPTERS = {
    "embedded": "SQLite and files",
    "postgres": "PostgreSQL",
    "kafka": f"Kafka ({'a real broker' if REAL_BROKERS else 'the mock cluster of the client library'})",
}
WHOLE = ("process", "e2e")  # folders
# How long an example takes by the clock on the wall says how busy the machine is, and nothing of what is tested.
hypothesis.settings.register_profile(
    "busy machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("busy machine")
_GRACE_S = 60.0  # for pytest-timeout to end a test its own way
_STDERR = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    """Here nothing is captured yet."""
    config.stash[_STDERR] = os.dup(sys.__stderr__.fileno()) if sys.__stderr__ else 2


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Past its time pytest-timeout raises an exception in a test, which code in C never sees, and a task of asyncio
    keeps to itself. Then the stacks of all threads are printed and the process ends: pytest-xdist names the test."""
    _watch(item)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Anew: pytest's own faulthandler stops what is set once a test has failed, and pytest-timeout is over then."""
    _watch(item)
    return (yield)


def _watch(item: pytest.Item) -> None:
    bound_s = pytest_timeout._get_item_settings(item).timeout
    if bound_s:
        faulthandler.dump_traceback_later(bound_s + _GRACE_S, exit=True, file=item.config.stash[_STDERR])


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the whole foregate start eight processes and wait for them: two testers should not do so at once, and
    the last to be given out should be short, or one tester waits for the other."""
    files = {path: list(group) for path, group in groupby(items, lambda item: item.path)}
    whole = [path for path in files if path.parent.name in WHOLE]
    items[:] = chain.from_iterable(files[path] for path in spread([path for path in files if path not in whole], whole))


def pytest_collection_finish() -> None:
    """With the clients of several providers imported, a full collection takes a third of a second."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def pytest_unconfigure() -> None:
    """Libraries look at the end for what was left behind."""
    gc.unfreeze()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Started when the first test asks for it."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaServer]:
    """Brokers, when the first test asks for them."""
    with kafka_server() as server:
        yield server


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which adapter was tried by which suite of a port, and how that went."""
    counts: dict[str, Counter[str]] = {}
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            suite, _, parameters = report.nodeid.partition("[")
            adapter = parameters.rstrip("]").partition("-")[0]
            if suite.startswith("tests/ports/") and adapter in _ADAPTERS:
                of = f"{suite.partition('::')[0]} on {_ADAPTERS[adapter]}"
                counts.setdefault(of, Counter())[outcome] += 1
    for of, found in sorted(counts.items()):
        terminalreporter.write_line(f"{of}: " + ", ".join(f"{number} {outcome}" for outcome, number in found.items()))
