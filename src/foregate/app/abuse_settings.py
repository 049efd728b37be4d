"""The settings of abuse detection in force: in the first line of the snapshot."""

from pathlib import Path

import msgspec

from foregate.wire.abuse import Abuse


class _Head(msgspec.Struct):
    """What is needed of it."""

    abuse: Abuse = Abuse()


_decode = msgspec.json.Decoder(_Head).decode


def abuse_settings(snapshot: Path) -> Abuse:
    """Raises OSError or msgspec.DecodeError."""
    with snapshot.open("rb") as file:
        return _decode(file.readline()).abuse
