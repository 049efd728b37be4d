"""What chance alone explains: the deviation below which nothing is unusual, whatever the past was like."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from foregate.predict.usual import METRIC, Usual

_P95_SHARE: Final = 0.05  # of the median latency, and …
_P95_MS: Final = 2.0  # … so many ms: nobody would look below it
_RPS_MIN: Final = 0.05


def chance(requests: NDArray[np.floating], seconds: NDArray[np.floating] | float, usual: Usual) -> NDArray[np.float64]:
    """(n, 3) for p95 in ms, error rate and requests/s of `requests` (n,) in `seconds`, given what is usual.

    5 % of the median and 2 ms for latency, the deviation of a binomial share of this many requests for errors, that of
    a Poisson count for traffic. So one error among few requests is no anomaly, and a flat series has a defined z.
    """
    n = np.maximum(np.nan_to_num(requests), 1.0).astype(np.float64)
    median = np.nan_to_num(usual.median).astype(np.float64)
    share = np.clip(median[:, METRIC["error_rate"]], 1.0 / n, 0.5)
    rps = np.maximum(median[:, METRIC["rps"]], _RPS_MIN)
    p95 = np.maximum(_P95_SHARE * median[:, METRIC["p95_ms"]], _P95_MS)
    return np.stack((p95, np.sqrt(share * (1 - share) / n), np.sqrt(rps / seconds)), axis=1)
