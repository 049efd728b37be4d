"""CSV, NDJSON and JSON, piece by piece."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

Row = Mapping[str, Any]
ColumnType = Literal["text", "integer", "real", "boolean", "json"]
# A spreadsheet takes a cell that begins so for a formula, and runs what an attacker has put into a path or a name.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")
_json = msgspec.json.Encoder()


class Column(NamedTuple):
    """`json`: whatever JSON can say; where a format has plain cells alone, it stands there as text."""

    name: str
    type: ColumnType


class RowEncoder(Protocol):
    """Makes the bytes of a file: `begin`, then `rows` as often as there are some, then `end`."""

    def begin(self) -> bytes: ...

    def rows(self, rows: Sequence[Row]) -> bytes: ...

    def end(self) -> bytes: ...


class Csv:
    """RFC 4180, with a line of names. A text that a spreadsheet would run begins with an apostrophe; so it is not read
    back as it was, which NDJSON is."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns

    def begin(self) -> bytes:
        return _lines([[column.name for column in self._columns]])

    def rows(self, rows: Sequence[Row]) -> bytes:
        return _lines([[_cell(row.get(column.name)) for column in self._columns] for row in rows])

    def end(self) -> bytes:
        return b""


class Ndjson:
    """One object per line."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._names = [column.name for column in columns]

    def begin(self) -> bytes:
        return b""

    def rows(self, rows: Sequence[Row]) -> bytes:
        return b"".join(_json.encode({name: row.get(name) for name in self._names}) + b"\n" for row in rows)

    def end(self) -> bytes:
        return b""


class Json:
    """One array of objects."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._lines = Ndjson(columns)
        self._begun = False

    def begin(self) -> bytes:
        return b"["

    def rows(self, rows: Sequence[Row]) -> bytes:
        if not rows:
            return b""
        between = b",\n" if self._begun else b"\n"
        self._begun = True
        return between + self._lines.rows(rows).removesuffix(b"\n").replace(b"\n", b",\n")

    def end(self) -> bytes:
        return b"\n]\n"


def _lines(cells: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(cells)
    return text.getvalue().encode("utf-8", "replace")


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    text = value if isinstance(value, str) else _json.encode(value).decode()
    return "'" + text if text.startswith(_FORMULAS) else text


ENCODERS: Mapping[str, tuple[str, Callable[[Sequence[Column]], RowEncoder]]] = {  # format → media type, encoder
    "csv": ("text/csv; charset=utf-8", Csv),
    "ndjson": ("application/x-ndjson", Ndjson),
    "json": ("application/json", Json),
}
