"""Work that is dealt out: the same results in the same order, by as few processes as it needs."""

import os

import pytest

from foregate.app.cli.predict.parallel import in_parallel

HERE = str(os.getpid())


def test_results_come_from_other_processes_in_the_order_of_the_items() -> None:
    results = in_parallel(os.readlink, ["/proc/self/root", "/proc/self", "/proc/self/cwd"], 2, "links")
    worker = results["/proc/self"]
    assert list(results.items()) == [
        ("/proc/self/root", "/"),
        ("/proc/self", worker),
        ("/proc/self/cwd", os.getcwd()),
    ]
    assert worker.isdigit()
    assert worker != HERE


@pytest.mark.parametrize(("items", "jobs"), [(["/proc/self", "/proc/./self"], 1), (["/proc/self"], 8), ([], 8)])
def test_one_job_or_one_item_starts_no_process(items: list[str], jobs: int) -> None:
    assert in_parallel(os.readlink, items, jobs, "links") == dict.fromkeys(items, HERE)
