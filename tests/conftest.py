"""For all tests: what was imported and collected lives to the end, so the collector need not look at it each time."""

import gc


def pytest_collection_finish() -> None:
    """With the clients of several providers imported, a full collection takes a third of a second."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
