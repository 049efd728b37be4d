"""What a training is given of the machine: one thread at the lowest priority, and no longer a life than its parent."""

import os
import sys
import threading
from typing import Final

# Read by the libraries of numbers when they are loaded; the keeper is given it for the training that it starts.
ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
LOWEST: Final = 19


def step_back() -> None:
    """Let everybody else go first."""
    os.nice(LOWEST)


def tie_to_parent() -> None:
    """End at once when standard input closes: whoever holds its other end is gone."""
    threading.Thread(target=_end_with_input, name="tied", daemon=True).start()


def _end_with_input() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(3)
