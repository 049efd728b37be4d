"""GET /config: which configuration is in force, at every worker. POST /config/reload: have it read again."""

from typing import Literal

from fastapi import APIRouter

from foregate.control.api.shapes import Out, Problem
from foregate.control.deps import ConfigControl, ConfigState, ControlDeps, ReloadAttempt
from foregate.kernel.errors import ForegateError


class WorkerVersion(Out):
    """`version` is null before the worker has served."""

    worker: str
    version: str | None


class ReloadOut(Out):
    """The last attempt to read the configuration. `later`: keys whose change waits for a restart."""

    outcome: Literal["started", "applied", "unchanged", "refused"]
    at_s: float
    by: Literal["start", "file", "signal"]
    problems: list[str]
    later: list[str]
    took_ms: float


class ConfigOut(Out):
    """`version` is the one that the workers are to serve by; `settled`: all of them do."""

    version: str
    settled: bool
    workers: list[WorkerVersion]
    last_attempt: ReloadOut | None


def config_router(deps: ControlDeps) -> APIRouter:
    router = APIRouter(tags=["foregate"])

    @router.get("/config", summary="The configuration in force, at every worker")
    def config() -> ConfigOut:
        return config_out(_control(deps).state())

    @router.post(
        "/config/reload",
        summary="Read the configuration again",
        responses={
            409: {"model": Problem, "description": "Nobody watches a configuration here."},
            422: {"model": Problem, "description": "The configuration cannot be used; the one before stays in force."},
        },
    )
    def reload() -> ConfigOut:
        state = _control(deps).reload()
        attempt = state.attempt
        if attempt is not None and attempt.outcome == "refused":
            raise ForegateError("config_refused", "\n".join(attempt.problems))
        deps.log.info("configuration_reloaded", version=state.version)
        return config_out(state)

    return router


def config_out(state: ConfigState) -> ConfigOut:
    """As the API says it."""
    return ConfigOut(
        version=state.version,
        settled=all(version == state.version for version in state.workers.values()),
        workers=[WorkerVersion(worker=name, version=version) for name, version in state.workers.items()],
        last_attempt=_attempt_out(state.attempt),
    )


def _attempt_out(attempt: ReloadAttempt | None) -> ReloadOut | None:
    if attempt is None:
        return None
    return ReloadOut(
        outcome=attempt.outcome,
        at_s=attempt.at_s,
        by=attempt.by,
        problems=list(attempt.problems),
        later=list(attempt.later),
        took_ms=attempt.took_ms,
    )


def _control(deps: ControlDeps) -> ConfigControl:
    if deps.config is None:
        raise ForegateError("not_found", "No gateway runs beside this console.")
    return deps.config
