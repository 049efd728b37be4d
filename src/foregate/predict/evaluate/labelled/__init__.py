"""Labelled series: how well unusual moments are ranked (VUS-PR) and announced, against chance and the old scores."""

from foregate.predict.evaluate.labelled.judge import evaluate
from foregate.predict.evaluate.labelled.report import LabelledReport, table
from foregate.predict.evaluate.labelled.vus import vus_pr

__all__ = ["LabelledReport", "evaluate", "table", "vus_pr"]
