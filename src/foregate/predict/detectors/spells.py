"""From scores to anomalies: a spell opens after two unusual ticks, closes after three usual ones."""

import hashlib
from dataclasses import dataclass

import msgspec

from foregate.predict.detectors.readings import METRICS, Reading
from foregate.wire.anomaly import Anomaly
from foregate.wire.entity import Entity

OPEN_Z = 4.0
CLOSE_Z = 2.5
OPEN_TICKS = 2
CLOSE_TICKS = 3
SPELLS_MAX = 10_000  # open or about to open; beyond it a new one is not begun
SILENT_S = 300.0  # a spell whose entity is not judged any more (quiet, forgotten) ends after so long


@dataclass(slots=True)
class _Spell:
    started_s: float
    beyond: int = 0  # ticks in a row beyond OPEN_Z
    within: int = 0  # ticks in a row within CLOSE_Z
    worst: Reading | None = None
    anomaly: Anomaly | None = None
    heard_s: float | None = None  # when it was observed last; None: not since a restart


def anomaly_id(entity: Entity, metric: str, started_s: float) -> str:
    """The same anomaly has the same id whenever it is computed: a replay replaces it, never doubles it."""
    told = "\0".join((entity.org, entity.service, entity.route, entity.environment, metric, repr(started_s)))
    return "ano_" + hashlib.blake2b(told.encode(), digest_size=10).hexdigest()


class Spells:
    """The open anomalies of all entities. Pure: time comes with the readings."""

    def __init__(self) -> None:
        self._spells: dict[tuple[Entity, str], _Spell] = {}

    @property
    def open(self) -> list[tuple[Entity, str]]:
        """The entity and metric of every spell that is open or about to open."""
        return list(self._spells)

    def give(self, entity: Entity) -> list[Anomaly]:
        """Forget an entity; the anomalies that it has open, for somebody else to go on with."""
        gone = [self._spells.pop((entity, metric), None) for metric in METRICS]
        return [spell.anomaly for spell in gone if spell is not None and spell.anomaly is not None]

    def restore(self, anomalies: list[Anomaly]) -> None:
        """Take up again what was open before a restart."""
        for anomaly in anomalies:
            if anomaly.ended_s is None and anomaly.metric in METRICS:
                worst = Reading(anomaly.metric, anomaly.value, anomaly.expected, anomaly.z, anomaly.sentence)
                spell = _Spell(anomaly.started_s, OPEN_TICKS, 0, worst, anomaly)
                self._spells[anomaly.entity, anomaly.metric] = spell

    def observe(self, time_s: float, entity: Entity, readings: list[Reading]) -> list[Anomaly]:
        """What the readings of one tick changed: anomalies that opened, got worse, or ended."""
        changed = []
        for reading in readings:
            key = (entity, reading.metric)
            spell = self._spells.get(key)
            if spell is None:
                if abs(reading.z) < OPEN_Z or not reading.rare or len(self._spells) >= SPELLS_MAX:
                    continue
                spell = self._spells[key] = _Spell(time_s)
            anomaly = _advance(spell, time_s, entity, reading)
            if spell.within >= CLOSE_TICKS or (spell.anomaly is None and spell.beyond == 0):
                del self._spells[key]
            if anomaly is not None:
                changed.append(anomaly)
        return changed

    def expire(self, time_s: float) -> list[Anomaly]:
        """End the spells of entities that have not been observed for a while."""
        ended = []
        for key, spell in list(self._spells.items()):
            last_s = spell.anomaly.updated_s if spell.anomaly else spell.started_s
            if spell.heard_s is None and last_s <= time_s:  # stored as of its last change: perhaps long ago
                spell.heard_s = time_s
            heard_s = last_s if spell.heard_s is None else spell.heard_s
            if abs(time_s - heard_s) > SILENT_S:  # far ahead: the clock was set back, and nothing else would end it
                del self._spells[key]
                if spell.anomaly is not None:
                    ended.append(msgspec.structs.replace(spell.anomaly, ended_s=last_s))
        return ended


def _advance(spell: _Spell, time_s: float, entity: Entity, reading: Reading) -> Anomaly | None:
    spell.heard_s = time_s
    unusual, usual = abs(reading.z) >= OPEN_Z and reading.rare, abs(reading.z) < CLOSE_Z
    spell.beyond = spell.beyond + 1 if unusual else 0
    spell.within = spell.within + 1 if usual else 0
    worse = spell.worst is None or abs(reading.z) > abs(spell.worst.z)
    if worse:
        spell.worst = reading
    if spell.anomaly is None and spell.beyond < OPEN_TICKS:
        return None
    worst = spell.worst or reading
    ended_s = time_s if spell.within >= CLOSE_TICKS else None
    changed = spell.anomaly is None or worse or ended_s is not None
    spell.anomaly = Anomaly(
        id=anomaly_id(entity, reading.metric, spell.started_s),
        started_s=spell.started_s,
        updated_s=time_s,
        ended_s=ended_s,
        entity=entity,
        metric=worst.metric,
        value=worst.value,
        expected=worst.expected,
        z=worst.z,
        sentence=worst.sentence,
    )
    return spell.anomaly if changed else None
