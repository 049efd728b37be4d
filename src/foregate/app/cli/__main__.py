"""`python -m foregate.app.cli`: the same as the `foregate` script."""

from foregate.app.cli import main

main()
