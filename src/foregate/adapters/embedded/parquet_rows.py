"""Rows as a Parquet file that is sent while it is made: a row group per piece, and no more of it in memory."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

_TYPES = {"text": pa.string(), "integer": pa.int64(), "real": pa.float64(), "boolean": pa.bool_(), "json": pa.string()}


class _Outbox(io.RawIOBase):
    """A file that can only be appended to; what was written is taken away."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._written += len(part)
        return len(part)

    def tell(self) -> int:
        return self._written

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


class ParquetRows:
    """Columns are (name, type) with type one of text, integer, real, boolean and json (kept as text)."""

    def __init__(self, columns: Sequence[tuple[str, str]]) -> None:
        self._columns = columns
        self._outbox = _Outbox()
        self._schema = pa.schema([(name, _TYPES[of]) for name, of in columns])
        self._writer = pq.ParquetWriter(self._outbox, self._schema, compression="zstd")

    def begin(self) -> bytes:
        return self._outbox.take()

    def rows(self, rows: Sequence[Mapping[str, Any]]) -> bytes:
        """A row group of them."""
        if rows:
            arrays = [pa.array([_value(row.get(name), of) for row in rows], _TYPES[of]) for name, of in self._columns]
            self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        return self._outbox.take()

    def end(self) -> bytes:
        self._writer.close()
        return self._outbox.take()


def _value(value: Any, of: str) -> Any:
    return msgspec.json.encode(value).decode() if of == "json" and value is not None else value
