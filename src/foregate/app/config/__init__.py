"""From `foregate.yaml` to a snapshot: read (places remembered), validate (whole), compile (immutable).

`load` is the front door. It raises `ConfigRefused`, which lists every problem with file, line and key, so that a person
mends them all at once.
"""

from foregate.app.config.load import Loaded, load
from foregate.app.config.problems import ConfigRefused
from foregate.app.config.schema import Config

__all__ = ["Config", "ConfigRefused", "Loaded", "load"]
