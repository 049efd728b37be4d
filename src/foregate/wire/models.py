"""Models that were trained on an organisation's own traffic: which there are, which one serves since when, and why."""

from typing import Final, Literal

import msgspec

BUNDLED: Final = "bundled"  # the version that serves where no other does: the prior model, trained on the lab


class ModelEntry(msgspec.Struct, frozen=True):
    """One trained model, as it was judged when it was made. What became of it since stands in `Serving`.

    `from_s` to `until_s`: the traffic that it learned from and was judged on. `better`: it beat the model that served
    then, and every baseline, on traffic later than what it had learned from.
    """

    org: str
    version: str
    made_s: float
    from_s: float
    until_s: float
    sha256: str  # of the model file
    bytes: int
    better: bool
    reason: str


class ModelChange(msgspec.Struct, frozen=True):
    """Another model has begun to serve an organisation."""

    at_s: float
    version: str
    before: str
    by: str  # "learning", "cli", "console"
    reason: str


class Serving(msgspec.Struct, frozen=True):
    """Which model serves an organisation. `changes`: the newest last.

    `withdrawn`: versions that people took out of service; they are never promoted again. `rest_until_s`: until then
    nothing is promoted, so that the next night does not undo what a person decided.
    """

    version: str = BUNDLED
    since_s: float = 0.0
    changes: tuple[ModelChange, ...] = ()
    withdrawn: tuple[str, ...] = ()
    rest_until_s: float = 0.0


class InForce(msgspec.Struct, frozen=True):
    """What the analyzer really judges an organisation by. `note` says why, where that is not what should serve."""

    org: str
    version: str  # "off": by no model
    since_s: float
    note: str = ""


LearningOutcome = Literal[
    "learning",  # not enough traffic or failures yet
    "promoted",
    "refused",  # trained, and not better
    "failed",  # something could not be read or kept
]


class Learning(msgspec.Struct, frozen=True):
    """The last attempt to train on an organisation's own traffic. `sentence`: e.g. "learning: 3 of 14 days"."""

    at_s: float
    outcome: LearningOutcome
    sentence: str
    days: float = 0.0
    failures: int = 0
    apis: int = 0
    version: str = ""  # of the model that was trained
    took_s: float = 0.0


Fit = Literal["unknown", "fits", "drifting", "no longer fits"]


class Shift(msgspec.Struct, frozen=True):
    """Whether a model still fits the traffic that it judges. `rows`: how many moments were compared."""

    at_s: float
    version: str
    state: Fit
    sentences: tuple[str, ...] = ()
    rows: int = 0


class OrgModels(msgspec.Struct, frozen=True):
    """Everything that is known about an organisation's models; `entries` newest first."""

    org: str
    serving: Serving
    in_force: InForce | None
    entries: tuple[ModelEntry, ...]
    learning: Learning | None
    shift: Shift | None
    note: str = ""  # what of this could not be read


def state_of(entry: ModelEntry, serving: Serving) -> Literal["serving", "withdrawn", "refused", "kept"]:
    """What became of a model."""
    if entry.version == serving.version:
        return "serving"
    if entry.version in serving.withdrawn:
        return "withdrawn"
    return "kept" if entry.better else "refused"
