"""For all tests: what was imported and collected lives to the end, so the collector need not look at it each time."""

import gc
from collections.abc import Iterator

import pytest
from tests.ports.postgres_server import PostgresServer, postgres_server


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
