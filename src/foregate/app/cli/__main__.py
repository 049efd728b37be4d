"""`python -m foregate.app.cli`: the same as the `foregate` script."""

import sys

if not sys.flags.safe_path:
    # Python puts the present folder first; the processes that we start do not look there, so neither does a check.
    del sys.path[0]

from foregate.app.cli import main

main()
