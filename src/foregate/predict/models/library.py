"""XGBoost, imported without scikit-learn: it would import it for classes that nobody uses here, where it is installed
to train. That is two thirds of a second and 60 MB in every process that judges.
"""

import sys

_UNKNOWN = "sklearn" not in sys.modules
if _UNKNOWN:
    sys.modules["sklearn"] = None  # type: ignore[assignment] # an import of it fails, as where it is not installed
try:
    import xgboost
finally:
    if _UNKNOWN:
        del sys.modules["sklearn"]

__all__ = ["xgboost"]
