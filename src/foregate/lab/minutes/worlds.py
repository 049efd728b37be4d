"""Which worlds there are to learn from, to choose by and to be judged on."""

from dataclasses import replace
from random import Random
from typing import Literal, get_args

from foregate.lab.minutes.company import Size, company, with_spare_memory
from foregate.lab.minutes.plan import WorldPlan
from foregate.lab.minutes.telemetry import Telemetry, generate
from foregate.lab.minutes.troubles import Mix, config_changes, deploys, gaps, troubles, unknown

Part = Literal["train", "validation", "unseen", "shifted", "seldom"]
PARTS: tuple[Part, ...] = get_args(Part)
MONDAY_S = 1_767_571_200.0  # 5 January 2026, 0:00 UTC
DAY_S = 86_400.0

# Other companies, other troubles: more and busier services, quicker faults, kinds that are rare elsewhere.
SHIFTED_SIZE = Size(services=(8, 16), rps=8.0, rps_spread=1.2)
SHIFTED_MIX = Mix(
    gradual=0.7,
    severity=(-0.5, 0.9),
    weights={"memory_leak": 0.4, "pool_exhaustion": 2.0, "load_ramp": 0.4, "brownout": 0.6, "retry_storm": 2.5,
             "quota_exhaustion": 1.5, "crash": 2.0, "bad_deploy": 0.7, "certificate": 0.3},
)  # fmt: skip
USUAL_SIZE = Size()
USUAL_MIX = Mix(weights={"brownout": 1.4, "retry_storm": 0.7, "certificate": 0.15})
# Failures as rare as at public endpoints, 0.15 per API and day; the usual mix gives about one. Nothing else differs.
SELDOM_MIX = replace(USUAL_MIX, real=0.25)
_DRAWN: dict[Part, tuple[Size, Mix]] = {"shifted": (SHIFTED_SIZE, SHIFTED_MIX), "seldom": (USUAL_SIZE, SELDOM_MIX)}


def plan(part: Part, number: int, seed: int, days: float = 2.0) -> WorldPlan:
    """World `number` of `part`. No world of one part is in another.

    "shifted" ones differ from all others in kind as well, "seldom" ones in how rarely they fail. Raises
    ValueError for a part that does not exist, or fewer than one minute.
    """
    if part not in PARTS:
        raise ValueError(f'"{part}" is not a part; there are {", ".join(PARTS)}')
    if not 1 / 1440 <= days <= 31.0:
        raise ValueError("days is a number from one minute's share to 31")
    rng = Random(f"{seed}/{part}/{number}")  # noqa: S311 - a simulation wants repeatable chance
    size, mix = _DRAWN.get(part, (USUAL_SIZE, USUAL_MIX))
    drawn = with_spare_memory(Random(f"{seed}/{part}/{number}/memory"), company(rng, size))  # noqa: S311 - likewise
    start_s = MONDAY_S + DAY_S * rng.randrange(28)
    return WorldPlan(
        name=f"{part}-{seed}-{number:04d}",
        seed=rng.getrandbits(48),
        start_s=start_s,
        days=days,
        services=drawn.services,
        troubles=troubles(rng, drawn, mix, start_s, days),
        deploys=deploys(rng, drawn, days),
        config_changes_s=config_changes(rng, days),
        gaps=gaps(rng, drawn, days),
        unknown=unknown(rng),
    )


def world(part: Part, number: int, *, seed: int, days: float = 2.0) -> Telemetry:
    """The minutes of world `number` of `part`: drawn and generated in one go."""
    return generate(plan(part, number, seed, days))
