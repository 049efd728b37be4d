"""Makes every configured policy once and throws it away: what it does not take is known before any worker has it."""

import random
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, TypeVar, cast

import msgspec

from foregate.app.config.contradictions import Found, places
from foregate.app.config.schema import Config
from foregate.gateway.ai.token_limits import rule_of as rule_of_tokens
from foregate.gateway.policies import make
from foregate.gateway.policies.limits.policy import rule_of
from foregate.gateway.policies.policy import Means, Place
from foregate.kernel.clock import SystemClock
from foregate.ports.limits import LimitStore, Rule

L = TypeVar("L")
_encode = msgspec.json.Encoder(order="deterministic").encode


def impossible(config: Config) -> Iterator[Found]:
    """The policies that cannot be made from their settings, each with its place and why."""
    means = _means()
    tried: dict[bytes, str] = {}
    for path, policies in places(config):
        for kind in make.KINDS:
            settings = getattr(policies, kind, None)
            if settings is None:
                continue
            key = kind.encode() + _encode(settings)
            if key not in tried:
                tried[key] = _trial(kind, settings, means)
            if tried[key]:
                yield (*path, kind), tried[key]
        for joined in ("rate_limits", "quotas"):
            for index, limit in enumerate(getattr(policies, joined)):
                if problem := _uncountable(limit, rule_of):
                    yield (*path, joined, index), problem
        for index, tokens in enumerate(policies.token_limits):
            if problem := _uncountable(tokens, rule_of_tokens):
                yield (*path, "token_limits", index), problem


def _trial(kind: str, settings: Any, means: Means) -> str:
    """Why it cannot be made; "" when it can."""
    try:
        make.policy(kind, settings, means, Place())
    except ImportError as error:
        return f"needs what is not installed: {error}"
    except Exception as error:  # noqa: BLE001 - libraries behind the policies have exceptions of their own
        return f"cannot be used: {str(error) or repr(error)}"[:500]
    return ""


def _uncountable(limit: L, rule_of: Callable[[L], Rule]) -> str:
    """Why no store could count it: its numbers are too large; "" when all can."""
    try:
        rule_of(limit)
    except ValueError as error:
        return f"cannot be counted: {error}"
    return ""


def _means() -> Means:
    """Enough to be made with; nothing is asked of it before the first request."""

    async def fetch(_url: str) -> NoReturn:
        raise OSError("nothing is fetched while a configuration is tried")

    return Means(
        clock=SystemClock(),
        rng=random.Random(0),  # noqa: S311 - decides nothing
        limits=cast(LimitStore, None),
        fetch=fetch,
        log=lambda _what, _facts: None,
        lateness_s=lambda: 0.0,
        consumers=lambda _raw: None,
        extensions={},
    )
