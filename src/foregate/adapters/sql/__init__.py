"""Questions as SQL, in what the dialects of our stores have in common.

Consumes `wire.ask`; emits statements with bound values and, from their rows, answers and pages. Promise: names in a
statement come from closed lists, values are always parameters; what is counted how is what `telemetry.tally` counts.
DuckDB and PostgreSQL differ in their `Dialect` alone.
"""

from foregate.adapters.sql.answers import answer_of
from foregate.adapters.sql.asking import steps_query, whole_query
from foregate.adapters.sql.dialect import Dialect, Query
from foregate.adapters.sql.paging import page_of, page_query

__all__ = ["Dialect", "Query", "answer_of", "page_of", "page_query", "steps_query", "whole_query"]
