"""Models of statsforecast, an extra: imported when they are asked for, by a process that does nothing else.

MSTL (Bandara et al. 2021) takes the seasons off by loess and forecasts the rest by exponential smoothing; the optimised
theta model (Fiorucci et al. 2016) damps between a line and smoothing; AutoETS (Hyndman et al. 2002) without a season.
"""

import warnings
from typing import Any

import numpy as np

from foregate.predict.forecast.models import Model
from foregate.predict.forecast.series import Floats


def adaptive_models(season: int, seasons: tuple[int, ...]) -> tuple[Model, ...]:
    """`season`: the one of models that know one; `seasons`: all that a day and a week have in steps.

    Raises ImportError where statsforecast is not installed.
    """
    from statsforecast.models import MSTL, AutoETS, OptimizedTheta

    made: tuple[tuple[str, int, Any], ...] = (
        (
            "mstl_ets",
            2 * max(seasons),
            lambda: MSTL(season_length=list(seasons), trend_forecaster=AutoETS(model="ZZN")),
        ),
        ("optimized_theta", 2 * season, lambda: OptimizedTheta(season_length=season)),
        ("auto_ets", 10, lambda: AutoETS(season_length=1, model="ZZN", damped=True)),
    )
    return tuple(Model(name, steps_min, _predict(make)) for name, steps_min, make in made)


def _predict(make: Any) -> Any:
    def predict(values: Floats, horizon: int) -> Floats:
        with warnings.catch_warnings():  # of numbers that are all alike, divided by their deviation
            warnings.simplefilter("ignore")
            try:
                answer = np.asarray(make().forecast(y=values, h=horizon)["mean"], np.float64)
            except (RuntimeError, IndexError, np.linalg.LinAlgError) as error:
                raise ArithmeticError(str(error)) from error
        if not np.isfinite(answer).all():
            raise ArithmeticError("the forecast is not finite")
        return answer

    return predict
