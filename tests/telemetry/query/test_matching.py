"""A filter in memory passes what the same filter passes in the archive."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.telemetry.making import T0, traffic

from foregate.adapters.embedded.archive.reader import EmbeddedArchiveReader
from foregate.adapters.embedded.archive.writer import EmbeddedArchive
from foregate.kernel.clock import ManualClock
from foregate.kernel.errors import ForegateError
from foregate.telemetry.query.matching import FIELDS, matcher
from foregate.wire.ask import Filter

EVENTS = traffic(7, 300)
TEXTS = ("/r/1", "payments", "2xx", "", "r", "5xx", "refused", "upstream_timeout", "POST")
NUMBERS = ("0", "1", "200", "404", "20.5", "500")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> EmbeddedArchiveReader:
    folder: Path = tmp_path_factory.mktemp("archive")
    kept = EmbeddedArchive(folder, ManualClock(T0))
    kept.append("events", EVENTS, "events", {0: 1}, {})
    kept.close()
    return EmbeddedArchiveReader(folder)


def outcome(find: Callable[[], object]) -> object:
    """What was found, or the code of the refusal."""
    try:
        return find()
    except ForegateError as error:
        return error.spec.code


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    field=st.sampled_from((*FIELDS, "nothing")),
    op=st.sampled_from(("eq", "ne", "in", "not_in", "prefix", "contains", "lt", "le", "gt", "ge")),
    values=st.one_of(
        st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3),
        st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=2),
    ),
)
def test_both_pass_the_same_and_refuse_the_same(
    archive: EmbeddedArchiveReader, field: str, op: str, values: list[str]
) -> None:
    filters = [Filter(field, op, tuple(values))]  # type: ignore[arg-type]

    def stored() -> object:
        page = archive.scan("events", "default", T0 - 1, T0 + 10_000, filters, limit=1_000)
        return sorted((row["time_s"], row["route"], row["latency_ms"]) for row in page.rows)

    def in_memory() -> object:
        passes = matcher(filters)
        return sorted((one.time_s, one.route, one.latency_ms) for one in EVENTS if passes(one))

    assert outcome(stored) == outcome(in_memory)
