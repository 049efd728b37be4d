"""Supervision: start the children, bring back the dead ones with backoff, stop all of them within a bound.

Consumes `ChildSpec`s; emits running processes, log lines and `processes.json`. Promises that no child outlives the
supervisor: each holds a pipe to it and leaves when the pipe closes, even after kill -9.
"""

from foregate.app.supervise.child import STOP_TIMEOUT_S, ChildSpec
from foregate.app.supervise.supervisor import EXIT_REFUSED, Supervisor

__all__ = ["EXIT_REFUSED", "STOP_TIMEOUT_S", "ChildSpec", "Supervisor"]
