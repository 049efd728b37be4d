"""The pictures: one per question, the same bytes each time, whatever a report lacks."""

from pathlib import Path

import msgspec
from tests.predict.evaluate.making import noisy, system

from foregate.predict.evaluate.baselines import SIMPLE
from foregate.predict.evaluate.contenders import Contender
from foregate.predict.evaluate.judge import Part, evaluate
from foregate.predict.evaluate.plots import draw
from foregate.predict.evaluate.results import Report


def report() -> Report:
    of = [noisy(name, seed, entities=2, minutes=500) for seed, name in enumerate("ab")]
    mine = Contender("foregate", SIMPLE["persistence"], baseline=False, probability=True)
    return evaluate([mine, Contender("p95", SIMPLE["p95 trend"])], [Part("unseen", of)], horizons_s=[900])


def test_the_same_report_gives_the_same_bytes_without_a_date(tmp_path: Path) -> None:
    found = report()
    again = msgspec.json.decode(msgspec.json.encode(found), type=Report)
    written = []
    for number, each in enumerate((found, again)):
        (tmp_path / str(number)).mkdir()
        written.append({path.name: path.read_bytes() for path in draw(each, tmp_path / str(number))})
    assert written[0] == written[1]
    assert len(written[0]) == 6
    assert b"<dc:date>" not in written[0]["alarms.svg"]


def test_a_part_without_failures_is_drawn_too(tmp_path: Path) -> None:
    calm = [system("a", minutes=100), system("b", minutes=100)]
    empty = evaluate([Contender("p95", SIMPLE["p95 trend"])], [Part("calm", calm)], horizons_s=[900])
    assert all(path.stat().st_size > 1000 for path in draw(empty, tmp_path))
