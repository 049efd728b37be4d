"""The same time yesterday and a week ago: what traffic and latency were by the quarter of an hour.

Quarters are numbered since the Unix epoch, so every clock agrees where one begins. Half precision is enough: it is kept
for eight days and compared with, never added up.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from foregate.predict.usual import COLUMN, REQUESTS_MIN, Floats, is_bad

QUARTER_S: Final = 900
DAY_QUARTERS: Final = 96
WEEK_QUARTERS: Final = 7 * DAY_QUARTERS
SEASON_QUARTERS: Final = WEEK_QUARTERS + 2  # what has to be kept to look back a week
SEASONAL: Final = ("rps", "p95_ms", "error_rate")
SEASON: Final = {name: index for index, name in enumerate(SEASONAL)}
BACK: Final = (DAY_QUARTERS - 1, DAY_QUARTERS, DAY_QUARTERS + 1, WEEK_QUARTERS - 1, WEEK_QUARTERS, WEEK_QUARTERS + 1)
_HALF_MAX: Final = 60_000.0  # what float16 can hold, with some to spare


def quarter_of(minutes: Floats) -> NDArray[np.float16]:
    """Minutes (…, C, T) of one quarter → (…, len(SEASONAL)); NaN where too little was measured, or it was failing."""
    requests = minutes[..., COLUMN["requests"], :]
    p95, errors = minutes[..., COLUMN["p95_ms"], :], minutes[..., COLUMN["errors"], :]
    measured = ~np.isnan(requests)
    total = np.where(measured, requests, 0).sum(axis=-1)
    weight = np.where(np.isnan(p95), 0, requests)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.stack(
            (
                total / (60.0 * measured.sum(axis=-1)),
                np.where(weight > 0, p95 * weight, 0).sum(axis=-1) / weight.sum(axis=-1),
                np.where(measured, errors, 0).sum(axis=-1) / total,
            ),
            axis=-1,
        )
    unfit = (total < REQUESTS_MIN) | is_bad(minutes).any(axis=-1)
    parts[unfit] = np.nan
    return halved(parts)


def halved(values: NDArray[np.floating]) -> NDArray[np.float16]:
    """In half precision; what it cannot hold becomes the most it can."""
    half: NDArray[np.float16] = np.minimum(values, _HALF_MAX).astype(np.float16)
    return half


def seasonal(past: NDArray[np.float16]) -> Floats:
    """The usual level for the time: medians over the quarters `BACK` from now, (n, len(BACK), len(SEASONAL)).

    Gives (n, len(SEASONAL)), NaN where nothing is known of either day.
    """
    ordered = np.sort(past.astype(np.float32), axis=1)  # NaN last
    n = (~np.isnan(ordered)).sum(axis=1)

    def nth(index: NDArray[np.intp]) -> Floats:
        chosen: Floats = np.take_along_axis(ordered, index[:, None], axis=1)[:, 0]
        return chosen

    return ((nth(np.maximum((n - 1) // 2, 0)) + nth(np.minimum(n // 2, len(BACK) - 1))) / 2).astype(np.float32)
