"""What a route asks of a request."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

ConditionKind = Literal["present", "absent", "exact", "prefix", "regex"]


class HeaderRule(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A condition on a header field."""

    name: Annotated[str, Meta(min_length=1, max_length=128, extra={"form": "header_name"})]
    kind: ConditionKind = "exact"
    value: Annotated[str, Meta(max_length=512)] = ""


class QueryRule(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A condition on a parameter of the query."""

    name: Annotated[str, Meta(min_length=1, max_length=128)]
    kind: ConditionKind = "exact"
    value: Annotated[str, Meta(max_length=512)] = ""


class Rule(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """All of it must hold. `kind` says how `path` is read; empty tuples take all; `priority`: higher is first."""

    path: str = "/"
    kind: Literal["prefix", "exact", "template", "regex"] = "prefix"
    hosts: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    headers: tuple[HeaderRule, ...] = ()
    queries: tuple[QueryRule, ...] = ()
    priority: Annotated[int, Meta(ge=-1_000_000, le=1_000_000)] = 0
