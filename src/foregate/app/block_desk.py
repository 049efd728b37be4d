"""What operators may do about blocks, from the console or the command line: look, block by hand, undo.

Works on the store and writes verdicts.json itself: an undo must not need the analyzer.
"""

from collections.abc import Callable, Sequence

import msgspec

from foregate.abuse import is_allowed
from foregate.app.paths import DataDir
from foregate.app.verdicts import publish
from foregate.kernel.clock import Clock
from foregate.kernel.errors import ForegateError
from foregate.kernel.ids import new_id
from foregate.ports.verdicts import VerdictStore
from foregate.wire.abuse import Abuse
from foregate.wire.abuse_overview import AbuseOverview, decode_overview
from foregate.wire.decision import AuditLine, Decision
from foregate.wire.verdicts import MANUAL, address_subject

OVERVIEW = "overview"  # the name of the analyzer's note in the store
KEY_CHARS_MAX = 200


class BlockDesk:
    """`settings` gives those in force. All methods block, and may raise OSError."""

    def __init__(self, data: DataDir, store: VerdictStore, clock: Clock, settings: Callable[[], Abuse]) -> None:
        self._data = data
        self._store = store
        self._clock = clock
        self._settings = settings

    def in_force(self) -> Sequence[Decision]:
        """The newest first; those that are only observed, too."""
        return self._store.in_force(self._clock.now())

    def recent(self, limit: int) -> Sequence[Decision]:
        """The newest first, whatever became of them."""
        return self._store.recent(limit)

    def audit(self, limit: int) -> Sequence[AuditLine]:
        """What operators have done, the newest first."""
        return self._store.audit(limit)

    def overview(self) -> AbuseOverview | None:
        """What detection saw last; None before it has seen anything."""
        note = self._store.kept(OVERVIEW)
        return decode_overview(note) if note is not None else None

    def add(self, who: str, for_s: float, note: str, by: str) -> Decision:
        """Block by hand. Raises ForegateError: `invalid_parameter`, or `conflict` for whoever is on the allow list."""
        subject = subject_of(who)
        if is_allowed(subject, self._settings()):
            raise ForegateError("conflict", f"The block was not made: {who} is on the allow list, which always wins.")
        now_s = self._clock.now()
        decision = Decision(
            id=new_id("blk"),
            subject=subject,
            rule=MANUAL,
            reason=note or "blocked by an operator",
            effect="block",
            times=1,
            since_s=now_s,
            made_s=now_s,
            until_s=now_s + for_s,
            by=by,
        )
        self._store.put([decision], AuditLine(now_s, "block", subject, decision.id, by, note))
        publish(self._data, self._store, self._clock)
        return decision

    def undo(self, decision_id: str, note: str, by: str) -> Decision:
        """End one, and leave its subject alone for a while. Raises ForegateError("not_found") for what is not in force.

        In force at every worker within `app.roles.follow_verdicts.LOOK_S`.
        """
        now_s = self._clock.now()
        held = next((each for each in self._store.in_force(now_s) if each.id == decision_id), None)
        subject = held.subject if held is not None else ""
        line = AuditLine(now_s, "undo", subject, decision_id, by, note)
        ended = self._store.undo(decision_id, line, now_s + self._settings().leave_alone_s)
        if ended is None:
            raise ForegateError("not_found", "No block with this id is in force.")
        publish(self._data, self._store, self._clock)
        return ended


def subject_of(who: str) -> str:
    """An address (with or without "ip:") or "key:<id>" as a block's subject. Raises ForegateError for anything else."""
    kind, _, name = who.partition(":")
    if kind == "key":
        if not 0 < len(name) <= KEY_CHARS_MAX or not name.isprintable():
            raise ForegateError("invalid_parameter", "subject: key: wants the id of a key behind it.")
        return who
    address = who.removeprefix("ip:")
    if ":" in address:
        address = address.removesuffix("/64")
    subject = address_subject(address)
    if not subject:
        raise ForegateError(
            "invalid_parameter",
            "subject: is neither an address like 192.0.2.1 nor key:<id>. For networks there is the ip_filter policy.",
        )
    return subject


def settings_or_defaults(read: Callable[[], Abuse]) -> Abuse:
    """Those in force; the defaults where foregate has not run yet."""
    try:
        return read()
    except (FileNotFoundError, msgspec.DecodeError):
        return Abuse()
