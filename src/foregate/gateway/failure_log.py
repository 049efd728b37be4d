"""What fails in our own code or in a policy's, said once with its traceback; after that only counted.

A policy that fails does so with every request, thousands of times a second: a line each would fill the disk.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from foregate.gateway.policies.policy import Log

AGAIN_S = 10.0  # repeats are told at most so often, all of that time in one line per kind of failure
KINDS_MAX = 256  # told apart; further ones are counted together, without a traceback
_FRAMES_MAX = 20  # of a traceback, the innermost
_MESSAGE_MAX = 200

Later = Callable[[float, Callable[[], None]], object]
_Kind = tuple[str, str, str, str]
_OTHERS: _Kind = ("", "", "", "")


class FailureLog:
    """One worker's. `later(seconds, call)` makes a timer; by default the running loop's."""

    __slots__ = ("_facts", "_later", "_log", "_repeats", "_waiting")

    def __init__(self, log: Log, later: Later | None = None) -> None:
        self._log = log
        self._later = later or _on_the_loop
        self._facts: dict[_Kind, dict[str, object]] = {}  # those that have been told
        self._repeats: dict[_Kind, int] = {}
        self._waiting = False

    def failed(self, what: str, error: BaseException, **facts: str) -> None:
        """Tell of `error`, or count it when its like was told: `what` of the same `policy`, type and place in the code.

        `facts` (which route, which policy) are those of the first one. Values of variables are never logged.
        """
        shown = _shown(error)
        kind = (what, facts.get("policy", ""), type(error).__name__, _place(error))
        if kind not in self._facts:
            if len(self._facts) < KINDS_MAX:
                self._facts[kind] = {**facts, "error": shown}
                self._log(what, {**facts, "error": shown, "exception": _trace(error)})
                return
            kind = _OTHERS
        self._repeats[kind] = self._repeats.get(kind, 0) + 1
        if not self._waiting:
            self._waiting = True
            self._later(AGAIN_S, self._tell_repeats)

    def _tell_repeats(self) -> None:
        self._waiting = False
        repeats, self._repeats = self._repeats, {}
        for kind, more in repeats.items():
            if kind is _OTHERS:
                self._log("further_failures", {"more": more, "reason": f"more than {KINDS_MAX} kinds of failures"})
            else:
                self._log(f"{kind[0]}_again", {**self._facts[kind], "more": more, "within_s": AGAIN_S})


def _on_the_loop(seconds: float, call: Callable[[], None]) -> object:
    return asyncio.get_running_loop().call_later(seconds, call)


def _shown(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:_MESSAGE_MAX]
    except Exception:  # noqa: BLE001 - errors of others may have errors
        return type(error).__name__


def _place(error: BaseException) -> str:
    """File and line of the innermost frame."""
    trace = error.__traceback__
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"


def _trace(error: BaseException) -> str:
    """The traceback as text; of what caused it only the name, as its message may be of any length."""
    lines = traceback.format_tb(error.__traceback__, limit=-_FRAMES_MAX)
    cause = error.__cause__ or error.__context__
    why = f" (because of {type(cause).__name__})" if cause is not None else ""
    return "".join(
        ["Traceback (most recent call last):\n", *lines, f"{type(error).__name__}: {error}"[:_MESSAGE_MAX], why]
    )
