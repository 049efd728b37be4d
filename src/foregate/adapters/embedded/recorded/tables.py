"""Parquet and CSV as batches of columns, all of them checked for being there; nothing here knows what they mean."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from foregate.adapters.embedded.recorded.model import KEYS, TIME, BadRecording
from foregate.wire.minutes import COLUMNS, REQUIRED

_BLOCK_BYTES: Final = 8_388_608  # of CSV, read at a time
_BATCH_ROWS: Final = 131_072  # of Parquet, read at a time
ENDINGS: Final = (".parquet", ".csv", ".csv.gz")


def batches(path: Path) -> Iterator[Any]:
    """The rows of a file in order, as record batches with the keys, `time` and the columns it has.

    Other columns are left unread. Raises BadRecording, FileNotFoundError.
    """
    if not path.name.endswith(ENDINGS):
        raise BadRecording(f"{path} is neither .parquet nor .csv or .csv.gz")
    try:
        yield from _parquet(path) if path.name.endswith(".parquet") else _csv(path)
    except pa.ArrowInvalid as error:
        raise BadRecording(f"{path} cannot be read: {error}") from error
    except EOFError as error:
        raise BadRecording(f"{path} ends too early: {error}") from error
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise BadRecording(f"{path} cannot be read: {error}") from error


def _parquet(path: Path) -> Iterator[Any]:
    with path.open("rb") as opened, pq.ParquetFile(opened) as file:
        columns = _wanted(path, file.schema_arrow.names)
        yield from file.iter_batches(batch_size=_BATCH_ROWS, columns=columns, use_threads=False)


def _csv(path: Path) -> Iterator[Any]:
    with pa.input_stream(str(path)) as stream:  # un-gzips what is named .gz
        head = _head(path)
        columns = _wanted(path, head)
        texts = pa.csv.ConvertOptions(
            include_columns=columns,
            column_types=dict.fromkeys(columns, pa.string()),  # numbers are read by us, to say which row is wrong
            null_values=["", "NaN", "nan", "null", "NULL"],
            strings_can_be_null=True,
        )
        options = pa.csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False)
        with pa.csv.open_csv(stream, read_options=options, convert_options=texts) as reader:
            yield from reader


def _head(path: Path) -> list[str]:
    with pa.input_stream(str(path)) as stream:
        line = bytes(stream.read(65_536)).split(b"\n", 1)[0]
    return [name.strip().strip('"') for name in line.decode("utf-8-sig", "replace").rstrip("\r").split(",")]


def _wanted(path: Path, names: list[str]) -> list[str]:
    missing = [name for name in (*KEYS, TIME, *REQUIRED) if name not in names]
    if missing:
        raise BadRecording(
            f"{path} has no column {', '.join(missing)}; it needs {', '.join((*KEYS, TIME, *REQUIRED))}, "
            f"and has {', '.join(names[:40]) or 'none'}"
        )
    return [name for name in (*KEYS, TIME, *COLUMNS) if name in names]
