"""GET /cache: how full it is. POST /cache/purge: have answers asked for anew."""

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from foregate.control.api.shapes import Out
from foregate.control.deps import ControlDeps
from foregate.kernel.errors import ForegateError
from foregate.ports.cache import PurgeKind, Purger

PATTERN_CHARS_MAX = 4_096


class CacheOut(Out):
    """Bytes and answers at present; the other numbers count. Memory is that of all workers, the disk they share."""

    memory_bytes: int
    memory_bytes_max: int
    memory_objects: int
    memory_evicted: int
    disk_bytes: int
    disk_bytes_max: int
    disk_objects: int
    disk_evicted: int
    disk_damaged: int
    not_stored: int
    purges: int


class PurgeCommand(BaseModel):
    """Exactly one of `url`, `prefix` and `tag`. A URL may begin with its host; without one it is meant on every host.

    `org`: only what this organisation was given; without it all of them, and what is public.
    """

    model_config = ConfigDict(extra="forbid")

    url: str | None = Field(None, min_length=1, max_length=PATTERN_CHARS_MAX)
    prefix: str | None = Field(None, min_length=1, max_length=PATTERN_CHARS_MAX)
    tag: str | None = Field(None, min_length=1, max_length=PATTERN_CHARS_MAX)
    org: str | None = Field(None, min_length=1, max_length=63)


class PurgeOut(Out):
    """What is purged now, in every worker and on the disk."""

    kind: PurgeKind
    pattern: str
    org: str | None


def cache_router(deps: ControlDeps) -> APIRouter:
    router = APIRouter(tags=["foregate"])

    @router.get("/cache", summary="How full the cache is")
    def cache() -> CacheOut:
        try:
            return CacheOut(**msgspec.structs.asdict(_cache(deps).stats()))
        except OSError as error:
            raise ForegateError("not_found", "No gateway has begun here.", internal=repr(error)) from error

    @router.post("/cache/purge", summary="Have answers asked for anew")
    def purge(command: PurgeCommand) -> PurgeOut:
        kind, pattern = _named(command)
        try:
            _cache(deps).purge(kind, pattern, command.org)
        except ValueError as error:
            raise ForegateError("invalid_parameter", f"{kind}: {error}.") from error
        except OSError as error:
            raise ForegateError("not_found", "No gateway has begun here.", internal=repr(error)) from error
        deps.log.info("cache_purged", kind=kind, pattern=pattern, org=command.org)
        return PurgeOut(kind=kind, pattern=pattern, org=command.org)

    return router


def _named(command: PurgeCommand) -> tuple[PurgeKind, str]:
    kinds: tuple[PurgeKind, ...] = ("url", "prefix", "tag")
    given = [(kind, pattern) for kind in kinds if (pattern := getattr(command, kind)) is not None]
    if len(given) != 1:
        raise ForegateError("invalid_parameter", "Give exactly one of url, prefix and tag.")
    return given[0]


def _cache(deps: ControlDeps) -> Purger:
    if deps.cache is None:
        raise ForegateError("not_found", "No gateway runs beside this console.")
    return deps.cache
