"""From a finding to a decision: whether somebody is blocked for it, and for how long. Pure."""

import ipaddress
from collections.abc import Callable
from math import log

from foregate.abuse.detector import Finding
from foregate.wire.abuse import Abuse
from foregate.wire.decision import Decision


def is_allowed(subject: str, settings: Abuse) -> bool:
    """Whether the allow list has it: then it is never blocked. An IPv6 /64 is in it as soon as a part of it is."""
    kind, _, name = subject.partition(":")
    if kind == "key":
        return name in settings.allow_keys
    try:
        network = ipaddress.ip_network(name)
    except ValueError:
        return False
    return any(_overlap(network, ipaddress.ip_network(text)) for text in settings.allow_networks)


def _overlap(
    one: ipaddress.IPv4Network | ipaddress.IPv6Network, other: ipaddress.IPv4Network | ipaddress.IPv6Network
) -> bool:
    if isinstance(one, ipaddress.IPv4Network) and isinstance(other, ipaddress.IPv4Network):
        return one.overlaps(other)
    if isinstance(one, ipaddress.IPv6Network) and isinstance(other, ipaddress.IPv6Network):
        return one.overlaps(other)
    return False


def length_s(times: int, settings: Abuse) -> float:
    """Of the block that is the `times`-th within a day."""
    if settings.growth > 1.0 and times - 1 >= log(settings.block_s_max / settings.block_s) / log(settings.growth):
        return settings.block_s_max  # asked first: the power may be beyond any float
    return float(min(settings.block_s * settings.growth ** (times - 1), settings.block_s_max))


def decide(
    finding: Finding, settings: Abuse, times_before: int, now_s: float, new_id: Callable[[str], str]
) -> Decision | None:
    """What follows from a finding. `times_before`: how often its subject was blocked within a day.

    None where nothing does: detection is off, or the subject is on the allow list, which always wins.
    """
    if settings.mode == "off" or is_allowed(finding.subject, settings):
        return None
    times = times_before + 1
    return Decision(
        id=new_id("blk"),
        subject=finding.subject,
        rule=finding.rule,
        reason=finding.reason,
        effect="block" if settings.mode == "block" else "observe",
        times=times,
        since_s=finding.since_s,
        made_s=now_s,
        until_s=now_s + length_s(times, settings),
    )
