"""How strong each fault is: pure formulas that the effects on the live model and the generator of minutes share.

`busy` is the share of a service's seats that its traffic keeps taken when the fault begins, `rps` its requests/s then
(calls from inside included), `reach_s` the seconds that the fault takes from its start to failure, `age_s` how old it
is.
"""

from math import pi, sin

from foregate.lab.model.profile import Profile

RAMP_PEAK_OF_CAPACITY = 1.25
CROWD_OF_CAPACITY = 0.52
CROWD_RISE_S = 25.0
STORM_BUSY = 0.54  # how busy the service would be without the repetitions: it would hold
BATCH_WAVE_S = 90.0


def slowdown_to(profile: Profile, busy: float, wanted: float, most: float) -> float:
    """By how much the database must slow down until the traffic keeps `wanted` of the service's seats occupied.

    Never more than `most`, never less than 1.
    """
    hold_s = profile.hold_s * wanted / busy
    return min(most, max(1.0, 1.0 + (hold_s - profile.hold_s) / (profile.misses * profile.query_s)))


def leaked_mb(profile: Profile, rps: float, reach_s: float) -> float:
    """Megabytes that each request leaves behind, so that the heap is full in the fault's reach."""
    return (profile.heap_limit_mb - profile.heap_base_mb) / (reach_s * rps / profile.instances)


def leak_chance(profile: Profile, connections: int, rps: float, reach_s: float) -> float:
    """Share of requests that forget their connection, so that those which traffic can spare are lost in the reach."""
    return min(1.0, (1.0 - 0.5 * profile.load) * connections / (reach_s * rps * profile.misses))


def drained_per_s(left: float, rps: float, reach_s: float) -> float:
    """What a runaway job takes a second of the `left` units of a quota, so that nothing remains in the reach."""
    return max(0.0, left / reach_s - rps)


def brownout_most(profile: Profile, busy: float) -> float:
    """How slow a browning-out database is when its reach is over."""
    return slowdown_to(profile, busy, 0.85, most=80.0)


def brownout(most: float, age_s: float, reach_s: float) -> float:
    """How slow it is now; it goes on beyond its reach."""
    progress = min(1.5, age_s / reach_s)
    return float(1.0 + (most - 1.0) * progress**1.5)


def stable_slowness(profile: Profile, busy: float, severity: float) -> float:
    """A slow dependency that the service can bear."""
    return slowdown_to(profile, busy, 0.55, most=1.4 + 1.2 * severity)


def blip_slowness(profile: Profile, busy: float, severity: float) -> float:
    """More than that, for some seconds."""
    return slowdown_to(profile, busy, 0.6, most=2.0 + 2.0 * severity)


def batch_most(profile: Profile, busy: float, severity: float) -> float:
    """How slow queries are at the height of a batch job's wave."""
    return slowdown_to(profile, busy, 0.5, most=1.3 + 0.7 * severity)


def batch(most: float, age_s: float) -> float:
    """How slow queries are now: in waves."""
    wave = 0.7 + 0.3 * sin(2 * pi * age_s / BATCH_WAVE_S)
    return 1.0 + (most - 1.0) * wave * min(1.0, age_s / 60.0)


def storm_most(profile: Profile, busy: float) -> float:
    """How slow the database of a retry storm becomes."""
    return slowdown_to(profile, busy, STORM_BUSY, most=6.0)


def storm(most: float, age_s: float, reach_s: float) -> tuple[float, float]:
    """(share of impatient clients, slowness of the database) now."""
    progress = min(1.0, age_s / reach_s)
    return progress, float(1.0 + (most - 1.0) * progress**1.3)


def ramp_most(profile: Profile, busy: float) -> float:
    """How many times the traffic from outside must grow to take every seat."""
    direct = profile.share / (profile.share + profile.extra_share)
    return 1.0 + (1.0 / busy - 1.0) / direct


def ramp(most: float, age_s: float, reach_s: float) -> float:
    """How many times the usual traffic comes now; it goes on beyond the fault's reach."""
    return 1.0 + (most - 1.0) * min(RAMP_PEAK_OF_CAPACITY, age_s / reach_s)


def crowd_most(busy: float, severity: float) -> float:
    """The height of a flash crowd, within what the service was sized for."""
    return max(1.0, min(1.6 + severity, CROWD_OF_CAPACITY / busy))


def crowd(most: float, age_s: float) -> float:
    """How many times the usual traffic comes now."""
    return 1.0 + (most - 1.0) * min(1.0, age_s / CROWD_RISE_S)


def bad_deploy(severity: float) -> tuple[float, float]:
    """(share of answers that are errors, how many times the work takes longer)."""
    return 0.1 + 0.4 * severity, 1.0 + 1.5 * severity
