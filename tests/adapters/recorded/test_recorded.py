"""Recorded telemetry: what was written is read again, and what cannot be meant is refused with the row and a remedy."""

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foregate.adapters.embedded.recorded import BadRecording, Recorded, model, read, read_recorded, write_recorded
from foregate.wire.entity import Entity
from foregate.wire.minutes import COLUMNS, FaultNote

T0 = 1_700_000_040.0
HEAD = "system,org,service,route,environment,time,requests,errors,p95_ms"


def made(name: str, seed: int, entities: int, minutes: int) -> Recorded:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 500, (entities, len(COLUMNS), minutes)).astype(np.float32)
    values[:, 1] = np.minimum(values[:, 0], values[:, 1])
    for share in ("quota_left", "disk_left", "memory_left", "connections_left", "workers_left"):
        values[:, COLUMNS.index(share)] = rng.random((entities, minutes))
    values[:, 3:][rng.random((entities, len(COLUMNS) - 3, minutes)) < 0.3] = np.nan
    gone = rng.random((entities, minutes)) < 0.2
    gone[:, 0] = gone[:, -1] = False
    values.swapaxes(1, 2)[gone] = np.nan
    named = tuple(Entity("acme", f"s, {i}", f'/x/{{id}}"{i}', "prod") for i in range(entities))
    faults = (FaultNote("leak", "s, 0", T0 + 30.5, 600.0, 0.5, heals=True, benign=False),)
    return Recorded(name, T0, named, values, frozenset({("s, 0", "s, 1")}), faults)


def same(a: Recorded, b: Recorded) -> None:
    assert (a.name, a.start_s, a.entities, a.calls, a.faults) == (b.name, b.start_s, b.entities, b.calls, b.faults)
    np.testing.assert_array_equal(a.minutes, b.minutes)


@settings(max_examples=6, deadline=None, derandomize=True)
@given(st.integers(0, 1000), st.integers(1, 4), st.integers(1, 50), st.sampled_from([".parquet", ".csv", ".csv.gz"]))
def test_what_was_written_is_read_again_and_the_bytes_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, seed: int, entities: int, minutes: int, ending: str
) -> None:
    folder = tmp_path_factory.mktemp("recorded")
    systems = [made("a", seed, entities, minutes), made("b", seed + 1, entities, minutes)]
    for again in ("1", "2"):
        write_recorded(folder / f"{again}{ending}", systems)
    assert (folder / f"1{ending}").read_bytes() == (folder / f"2{ending}").read_bytes()
    for before, after in zip(systems, read_recorded([folder / f"1{ending}"]), strict=True):
        same(before, after)


def csv(path: Path, *rows: str, head: str = HEAD) -> Path:
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def row(time: object, requests: object = 10, errors: object = 0, p95: object = 5, system: str = "a") -> str:
    return f"{system},acme,pay,/x,prod,{time},{requests},{errors},{p95}"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (T0, T0 + 60),
        (int(T0), int(T0) + 60),
        ("2023-11-14T22:14:00Z", "2023-11-14T22:15:00Z"),
        ("2023-11-14 22:14:00", "2023-11-14 22:15:00"),
        ("2023-11-14T23:14:00+01:00", "2023-11-14T22:15:00Z"),
    ],
)
def test_times_are_unix_seconds_or_iso_8601_and_what_is_empty_is_unknown(
    tmp_path: Path, first: object, second: object
) -> None:
    (of,) = read_recorded([csv(tmp_path / "a.csv", row(first), row(second, p95=""))])
    assert of.start_s == T0
    assert of.minutes[0, COLUMNS.index("requests")].tolist() == [10, 10]
    assert np.isnan(of.minutes[0, COLUMNS.index("p95_ms")]).tolist() == [False, True]
    assert np.isnan(of.minutes[0, COLUMNS.index("retries")]).all()


def test_a_minute_without_a_row_or_without_requests_was_not_recorded(tmp_path: Path) -> None:
    (of,) = read_recorded([csv(tmp_path / "a.csv", row(T0), row(T0 + 120, "", "", 7), row(T0 + 180))])
    assert np.isnan(of.minutes[0, 0]).tolist() == [False, True, True, False]
    assert np.isnan(of.minutes[0, :, 2]).all()


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([row(T0), row(T0)], r"row 2: a minute that was told already of a acme pay /x prod"),
        ([row(T0), row(T0 + 120), row(T0 + 60)], r"row 3: an earlier minute than the row before"),
        ([row(T0 + 1)], r"row 1: time is not the start of a minute"),
        ([row("yesterday")], r"row 1: time is 'yesterday': give ISO 8601"),
        ([row("2023-11-14T22:14:00Z"), row("2023-11-14T22:15:00")], r"row 2: time zones are mixed"),
        ([row("")], r"row 1: time is empty"),
        ([row(T0, -1)], r"row 1: requests is negative"),
        ([row(T0), row(T0 + 60, 10, 11)], r"row 2: errors are more than requests"),
        ([row(T0, 10, "")], r"row 1: only one of requests and errors is known"),
        ([row(T0), row(T0 + 60, "many")], r"row 2: requests is 'many', which is no number"),
        ([row(T0, "inf")], r"row 1: requests is infinite"),
        ([row(T0, 10, 0, "1e39")], r"row 1: p95_ms is beyond"),
        ([row(T0, system="")], r"row 1: system is empty"),
        ([row(T0) + ",extra"], r"cannot be read.*Expected 9 columns"),
        ([], r"there is no row in it"),
        ([row(T0), row(T0 + 60 * 30_000_000)], r"values.*at once.*is a time wrong"),
    ],
)
def test_bad_rows_are_refused_with_file_row_and_remedy(tmp_path: Path, rows: list[str], sentence: str) -> None:
    with pytest.raises(BadRecording, match=sentence) as refused:
        read_recorded([csv(tmp_path / "bad.csv", *rows)])
    assert "bad.csv" in str(refused.value) or "is a time wrong" in str(refused.value)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv", "a,1", head="system,requests")
    with pytest.raises(
        BadRecording, match=r"no column org, service, route, environment, time, errors, p95_ms; it needs"
    ):
        read_recorded([path])


def test_damaged_and_unknown_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 nonsense")
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"x" * 1000)[:40])
    (tmp_path / "c.xlsx").write_bytes(b"")
    for name, sentence in (("a.parquet", "cannot be read"), ("b.csv.gz", "b.csv.gz"), ("c.xlsx", "neither .parquet")):
        with pytest.raises(BadRecording, match=sentence):
            read_recorded([tmp_path / name])
    with pytest.raises(FileNotFoundError):
        read_recorded([tmp_path / "none.csv"])


def test_too_many_entities_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "ENTITIES_MAX", 3)
    rows = [f"a,acme,pay,/user/{i},prod,{T0},1,0,1" for i in range(4)]
    with pytest.raises(BadRecording, match=r"more than 3 entities.*raw path"):
        read_recorded([csv(tmp_path / "a.csv", *rows)])
    assert model.ENTITIES_MAX == 10_000


def test_entities_of_many_different_keys_are_not_mixed_up(tmp_path: Path) -> None:
    names = range(7_000)  # 7,000^5 is more than 2^63
    rows = [f"a{i},b{i},c{i},d{i},e{i},{T0:.0f},{i},0,1" for i in names]
    found = read_recorded([csv(tmp_path / "a.csv", *rows)])
    told = sorted(
        (of.name, *(getattr(of.entities[0], k) for k in ("org", "environment")), of.minutes[0, 0, 0]) for of in found
    )
    assert told == sorted((f"a{i}", f"b{i}", f"e{i}", i) for i in names)


def test_a_system_goes_on_in_another_file_of_another_format(tmp_path: Path) -> None:
    whole = made("a", 1, 2, 40)
    half = [Recorded("a", T0 + 60 * i, whole.entities, whole.minutes[:, :, i : i + 20]) for i in (0, 20)]
    write_recorded(tmp_path / "1.parquet", half[:1])
    write_recorded(tmp_path / "2.csv", half[1:])
    (of,) = read_recorded([tmp_path / "1.parquet", tmp_path / "2.csv"])
    np.testing.assert_array_equal(of.minutes, whole.minutes)


def test_parquet_of_others_is_read_whatever_its_types_and_further_columns(tmp_path: Path) -> None:
    table = pa.table(
        {
            "comment": ["x", "y"],
            "time": pa.array([int(T0) * 1000, (int(T0) + 60) * 1000], pa.timestamp("ms", tz="Europe/Berlin")),
            **{name: pa.array([name, name]).dictionary_encode() for name in ("system", "org", "service", "route")},
            "environment": ["prod", "prod"],
            "requests": pa.array([1, 2], pa.int64()),
            "errors": pa.array([0, 1], pa.int16()),
            "p95_ms": pa.array([1.5, None], pa.float64()),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    (of,) = read_recorded([tmp_path / "a.parquet"])
    assert (of.start_s, of.minutes[0, 0].tolist()) == (T0, [1, 2])


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("faults", "system,kind\na,x\n", "no column service, start, duration_s"),
        ("faults", "system,kind,service,start,duration_s,benign\na,x,s,soon,5,\n", "line 2: start is 'soon'"),
        ("faults", "system,kind,service,start,duration_s,benign\na,x,s,5,5,perhaps\n", "benign is 'perhaps'"),
        ("faults", "system,kind,service,start,duration_s\na,x,s,nan,5\n", "line 2: start is 'nan'"),
        ("faults", "system,kind,service,start,duration_s\na,x,s,5,nan\n", "line 2: duration_s is 'nan'"),
        ("calls", f"system,caller,callee\na,x,{'y' * 200_000}\n", "after line 1: field larger"),
        ("calls", "system,caller,callee\nz,x,y\n", "line 2: there is no system 'z'"),
        ("calls", "system,caller,callee\na,x,\n", "line 2: caller or callee is empty"),
        ("calls", "system,caller,callee\na\n", "line 2: fields are missing"),
    ],
)
def test_side_files_are_checked_too(tmp_path: Path, name: str, text: str, sentence: str) -> None:
    path = csv(tmp_path / "a.csv", row(T0))
    (tmp_path / f"a.{name}.csv").write_text(text)
    with pytest.raises(BadRecording, match=sentence):
        read_recorded([path])
