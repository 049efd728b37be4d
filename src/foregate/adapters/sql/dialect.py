"""What differs between the databases, and a statement on its way to one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple


@dataclass(frozen=True)
class Dialect:
    """`placeholder` stands for a bound value. `quantile` of an expression: the value of rank ⌈share·n⌉, nulls left
    out."""

    placeholder: str
    quantile: Callable[[str, float], str]


class Query(NamedTuple):
    sql: str
    params: Sequence[Any]


@dataclass
class Bound:
    """Values in the order in which their placeholders stand in the statement."""

    dialect: Dialect
    values: list[Any] = field(default_factory=list)

    def __call__(self, value: Any) -> str:
        self.values.append(value)
        return self.dialect.placeholder

    def each(self, values: Sequence[Any]) -> str:
        """Several, with commas between them."""
        return ", ".join(self(value) for value in values)
