"""GET /model: the predictor's card, as it was written when it was trained."""

from typing import Any

from fastapi import APIRouter

from foregate.control.api.shapes import Out
from foregate.control.deps import ControlDeps
from foregate.kernel.errors import ForegateError


class ModelCard(Out):
    """`card` is the file that lies beside the model: data, seeds, results and baselines, command to reproduce."""

    version: str
    threshold: float
    card: dict[str, Any]


def model_router(deps: ControlDeps) -> APIRouter:
    router = APIRouter(tags=["prediction"])

    @router.get("/model", summary="The predictor's card")
    async def model() -> ModelCard:
        if deps.model_card is None:
            raise ForegateError("not_found", "No model is loaded: nothing is predicted.")
        card = dict(deps.model_card)
        return ModelCard(version=str(card.get("model_version", "")), threshold=deps.threshold, card=card)

    return router
