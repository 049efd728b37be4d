"""From an organisation's traffic to a challenger and the verdict on it. Pure: it is given how to fit and to score."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from foregate.ports.models import ModelFile
from foregate.predict.evaluate.exam import Exam, exam_of
from foregate.predict.evaluate.paging import paging, sweep, threshold_for
from foregate.predict.evaluate.system import Scorer, System
from foregate.predict.evaluate.truth import bad_minutes, spells_in
from foregate.predict.failures import HORIZON_S
from foregate.predict.registry.amount import ENOUGH, Amount, missing
from foregate.predict.registry.card import OwnCard, encode_own_card, render_own_card
from foregate.predict.registry.comparison import Answers, Comparison, Figures, compare, figures_of
from foregate.predict.registry.parts import CHOOSE_UNTIL, LEARN_UNTIL, Parts, parts_of, picked
from foregate.predict.registry.shift import Reference, encode_reference
from foregate.predict.registry.signatures import signatures
from foregate.wire.models import ModelEntry

LATER_FAILURES_MIN: Final = 3  # in the part that is judged: fewer would make the verdict a matter of luck
CHALLENGER: Final = "challenger"
LATER: Final = (CHOOSE_UNTIL, 1.0)
CHOOSING: Final = (LEARN_UNTIL, CHOOSE_UNTIL)


class Fitted(Protocol):
    """A trained model as the bytes of its file."""

    @property
    def content(self) -> bytes: ...


class Tools(Protocol):
    """What learning is done with; joined in `app`."""

    def fit(self, train: Sequence[System], validation: Sequence[System], *, seed: int) -> Fitted:
        """Raises ValueError where there is nothing to learn."""
        ...

    def scorer(self, content: bytes) -> Scorer:
        """The scores of a model file, for a horizon of `HORIZON_S`."""
        ...

    def version(self, content: bytes) -> str: ...

    def reference(self, content: bytes, natural: Sequence[System]) -> Reference:
        """What its features are like in traffic as it comes: what was learnt from holds failures more often."""
        ...

    def baselines(self) -> Mapping[str, Scorer]:
        """The simple scores that it has to beat, by name."""
        ...


@dataclass(frozen=True, slots=True)
class Ask:
    """`champion`: the name and the scores of the model that serves, None where it cannot be used any more.

    `left_out`: how many APIs are not in the system because of its bound. `budget`: false alarms per API and day.
    """

    champion: tuple[str, Scorer] | None
    budget: float
    seed: int
    now_s: float
    command: str
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Learned:
    """A challenger with everything that is kept of it."""

    entry: ModelEntry
    files: Mapping[ModelFile, bytes]
    card: OwnCard
    amount: Amount


@dataclass(frozen=True, slots=True)
class Lacking:
    """There is too little to learn from, and what is missing."""

    sentence: str
    amount: Amount


def amount_of(system: System) -> Amount:
    """How much there is: days on which anything was recorded, failures, APIs with traffic."""
    requests = system.of("requests")
    recorded = np.isfinite(requests).any(axis=0).sum() / 1_440 if len(system.entities) else 0.0
    failures = int(spells_in(bad_minutes(system)).failed.sum())
    return Amount(float(recorded), failures, int((np.nan_to_num(requests).sum(axis=1) > 0).sum()))


def learn(system: System, tools: Tools, ask: Ask, needs: Amount = ENOUGH) -> Learned | Lacking:
    """Train on the earlier part, judge on the later. The same system and seed give the same model and verdict."""
    amount = amount_of(system)
    lacks = missing(amount, needs)
    if lacks is not None:
        return Lacking(lacks, amount)
    later, choosing = exam_of([system], HORIZON_S, LATER), exam_of([system], HORIZON_S, CHOOSING)
    counted = int(later.counted.sum())
    if counted < LATER_FAILURES_MIN:
        share = 1 - CHOOSE_UNTIL
        return Lacking(f"learning: {counted} of {LATER_FAILURES_MIN} failures in the latest {share:.0%}", amount)
    parts = parts_of(system)
    try:
        content = tools.fit([parts.train], [parts.validation], seed=ask.seed).content
    except ValueError as error:
        return Lacking(f"learning: {error}", amount)
    scores = {name: scorer(system) for name, scorer in _scorers(tools, content, ask).items()}
    answers = {name: _answers(later, choosing, each, ask.budget) for name, each in scores.items()}
    verdict = compare(later, answers, CHALLENGER, budget=ask.budget, seed=ask.seed)
    unseen = _unseen(system, parts, scores[CHALLENGER], answers[CHALLENGER].threshold)
    kinds = _kinds(system, later, answers[CHALLENGER])
    entry = _entry(system, content, tools.version(content), verdict, ask)
    card = _card(entry, system, ask, amount, verdict, unseen, kinds)
    files: dict[ModelFile, bytes] = {
        "model.fgm": content,
        "card.json": encode_own_card(card),
        "card.md": render_own_card(card).encode(),
        "reference.json": encode_reference(tools.reference(content, [parts.validation])),
    }
    return Learned(entry, files, card, amount)


def _scorers(tools: Tools, content: bytes, ask: Ask) -> dict[str, Scorer]:
    champion = {} if ask.champion is None else {f"the model that serves ({ask.champion[0]})": ask.champion[1]}
    return {CHALLENGER: tools.scorer(content), **champion, **tools.baselines()}


def _answers(later: Exam, choosing: Exam, scores: NDArray[np.float64], budget: float) -> Answers:
    """The threshold is chosen on the part before: the later one is judged once."""
    return Answers(later.answers([scores]), threshold_for(sweep(choosing, choosing.answers([scores])), budget))


def _unseen(system: System, parts: Parts, scores: NDArray[np.float64], threshold: float) -> Figures | None:
    """What it is worth on later traffic of APIs that it never learnt from; None where there were too few."""
    if not parts.unseen:
        return None
    exam = exam_of([picked(system, parts.unseen)], HORIZON_S, LATER)
    return figures_of(exam, Answers(exam.answers([scores[list(parts.unseen)]]), threshold))


def _kinds(system: System, later: Exam, answers: Answers) -> dict[str, tuple[int, int]]:
    """Signature → (failures, foreseen) in the later part, the most frequent first."""
    stride = system.minutes.shape[2] + later.horizon_min + 1  # how `Exam` counts its keys
    onsets = [divmod(key, stride) for key in later.onset_key[later.counted].tolist()]
    hits = paging(later, answers.scores, answers.threshold).hit[later.counted].tolist()
    found: dict[str, tuple[int, int]] = {}
    for name, hit in zip(signatures(system, onsets), hits, strict=True):
        failures, foreseen = found.get(name, (0, 0))
        found[name] = failures + 1, foreseen + hit
    return dict(sorted(found.items(), key=lambda item: (-item[1][0], item[0])))


def _entry(system: System, content: bytes, version: str, verdict: Comparison, ask: Ask) -> ModelEntry:
    return ModelEntry(
        org=system.name,
        version=version,
        made_s=ask.now_s,
        from_s=system.start_s,
        until_s=system.start_s + 60.0 * system.minutes.shape[2],
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        better=verdict.better,
        reason=verdict.reason,
    )


def _card(
    entry: ModelEntry,
    system: System,
    ask: Ask,
    amount: Amount,
    verdict: Comparison,
    unseen: Figures | None,
    kinds: Mapping[str, tuple[int, int]],
) -> OwnCard:
    return OwnCard(
        model_version=entry.version,
        org=entry.org,
        sha256=entry.sha256,
        bytes=entry.bytes,
        made_s=entry.made_s,
        from_s=entry.from_s,
        until_s=entry.until_s,
        days=amount.days,
        failures=amount.failures,
        apis=len(system.entities),
        left_out=ask.left_out,
        horizon_s=HORIZON_S,
        budget=ask.budget,
        seed=ask.seed,
        command=ask.command,
        better=verdict.better,
        reason=verdict.reason,
        figures=dict(verdict.figures),
        gains=verdict.gains,
        unseen=unseen,
        signatures=dict(kinds),
    )
