"""Columns of a batch as numbers, and what no telemetry can mean."""

from typing import Any, Final, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from foregate.adapters.embedded.recorded.model import TIME, BadRecording

Floats = NDArray[np.float64]
# Nothing is so much in a minute; greater numbers would drown all others in a sum, or not fit single precision.
VALUE_MAX: Final = 1e12
_SHARES: Final = ("quota_left", "disk_left", "memory_left", "connections_left", "workers_left")
_MAY_BE_NEGATIVE: Final = ("budget_left", "cert_left_s")  # overspent; expired


class Zones:
    """Whether the times of a file carry a zone: all of them or none."""

    def __init__(self) -> None:
        self.named: bool | None = None


def seconds(where: str, first_row: int, column: Any, zones: Zones) -> Floats:
    """`time` as Unix seconds. Raises BadRecording, as do all here; `first_row` is the number of the first row."""
    if pa.types.is_timestamp(column.type):
        whole = column.cast(pa.timestamp("ns", tz=column.type.tz)).cast(pa.int64())
        return np.asarray(whole.to_numpy(zero_copy_only=False), dtype=np.float64) / 1e9
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return _of_texts(where, first_row, column, zones)
    return numbers(where, first_row, TIME, column)


def _of_texts(where: str, first_row: int, column: Any, zones: Zones) -> Floats:
    empty = pc.is_null(column).to_numpy(zero_copy_only=False)
    if empty.any():
        _refuse(where, first_row, empty, "time is empty: every row needs the start of its minute")
    try:
        return np.asarray(pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
    except pa.ArrowInvalid:
        pass  # not Unix seconds, so ISO 8601
    zoned = pc.match_substring_regex(column, r"T?\d\d:\d\d.*(Z|[+-]\d\d:?\d\d)$").to_numpy(zero_copy_only=False)
    if zones.named is None:
        zones.named = bool(zoned[0])
    if (zoned != zones.named).any():
        _refuse(
            where, first_row, zoned != zones.named, "time zones are mixed: give all times in UTC, with Z or all without"
        )
    kind = pa.timestamp("ns", tz="UTC") if zones.named else pa.timestamp("ns")
    try:
        parsed = pc.cast(column, kind)
    except pa.ArrowInvalid as error:
        for i, text in enumerate(column.to_pylist()):
            try:
                pc.cast(pa.array([text]), kind)
            except pa.ArrowInvalid:
                raise BadRecording(
                    f"{where}, row {first_row + i:,}: time is {text!r}: "
                    "give ISO 8601 (2026-01-31T10:05:00Z) or Unix seconds"
                ) from error
        raise BadRecording(f"{where}, near row {first_row:,}: time cannot be read: {error}") from error
    return np.asarray(parsed.cast(pa.int64()).to_numpy(zero_copy_only=False), dtype=np.float64) / 1e9


def numbers(where: str, first_row: int, name: str, column: Any) -> Floats:
    """A column as numbers, NaN where it is empty."""
    try:
        read = pc.cast(column, pa.float64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        for i, text in enumerate(column.to_pylist()):
            try:
                pc.cast(pa.array([text]), pa.float64())
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                raise BadRecording(f"{where}, row {first_row + i:,}: {name} is {text!r}, which is no number") from error
        raise BadRecording(f"{where}, near row {first_row:,}: {name} cannot be read: {error}") from error
    values = np.array(read.to_numpy(zero_copy_only=False), dtype=np.float64)
    if np.isinf(values).any():
        _refuse(where, first_row, np.isinf(values), f"{name} is infinite; leave it empty if it is not known")
    absurd = np.abs(values) > VALUE_MAX
    if name != TIME and absurd.any():
        _refuse(where, first_row, absurd, f"{name} is beyond {VALUE_MAX:g}; leave it empty if it is not known")
    return values


def check_times(where: str, first_row: int, times: Floats) -> None:
    """Every time is the start of a minute."""
    if np.isnan(times).any():
        _refuse(where, first_row, np.isnan(times), "time is empty: every row needs the start of its minute")
    off = times % 60 != 0
    if off.any():
        _refuse(where, first_row, off, "time is not the start of a minute: aggregate to whole minutes (UTC)")


def check_values(where: str, first_row: int, values: dict[str, Floats]) -> None:
    """No count is negative, no more requests failed than there were, a share is a share."""
    for name, column in values.items():
        with np.errstate(invalid="ignore"):
            if name not in _MAY_BE_NEGATIVE and (column < 0).any():
                _refuse(where, first_row, column < 0, f"{name} is negative; leave it empty if it is not known")
            if name in _SHARES and (column > 1).any():
                _refuse(where, first_row, column > 1, f"{name} is more than 1: give a share, 0 to 1")
    requests, errors = values["requests"], values["errors"]
    if (errors > requests).any():
        _refuse(where, first_row, errors > requests, "errors are more than requests: errors are those of its requests")
    half = np.isnan(requests) != np.isnan(errors)
    if half.any():
        _refuse(where, first_row, half, "only one of requests and errors is known: give both, or leave the row out")


def _refuse(where: str, first_row: int, wrong: NDArray[np.bool_], sentence: str) -> NoReturn:
    more = int(wrong.sum()) - 1
    also = f" (and {more:,} more rows near it)" if more else ""
    raise BadRecording(f"{where}, row {first_row + int(np.argmax(wrong)):,}{also}: {sentence}")
