"""For all tests: what was imported and collected lives to the end, so the collector need not look at it each time."""

import gc
from collections import Counter
from collections.abc import Iterator

import pytest
from tests.ports.kafka_server import REAL_BROKERS, KafkaServer, kafka_server
from tests.ports.postgres_server import PostgresServer, postgres_server

_ADAPTERS = {
    "embedded": "SQLite and files",
    "postgres": "PostgreSQL",
    "kafka": f"Kafka ({'a real broker' if REAL_BROKERS else 'the mock cluster of the client library'})",
}


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
