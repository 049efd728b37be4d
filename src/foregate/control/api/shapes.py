"""Models that several resources share."""

from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from foregate.wire.entity import Entity


class Out(BaseModel):
    """A response model: frozen, and its defaults are always sent (so they are not optional for a client)."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


class Problem(Out):
    """RFC 9457 problem details; each `code` has a page in docs/errors."""

    type: str
    title: str
    status: int
    code: str
    request_id: str
    retryable: bool
    detail: str | None = None


class EntityOut(Out):
    """The watched thing: one route of one service."""

    service: str
    route: str
    environment: str


def entity_out(entity: Entity) -> EntityOut:
    return EntityOut(service=entity.service, route=entity.route, environment=entity.environment)


RangeS = Annotated[int, Query(ge=60, le=30 * 86_400, description="How far back from now, in seconds.")]
ServiceName = Annotated[str | None, Query(max_length=200, description="Only this service.")]
RoutePath = Annotated[str | None, Query(max_length=500, description="Only this route's template, e.g. /payments.")]
Limit = Annotated[int, Field(ge=1, le=500)]
