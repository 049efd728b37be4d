"""`python -m foregate.app.roles <role> …`: become that role."""

import importlib
import sys

from foregate.app.roles.options import parse

if __name__ == "__main__":
    options = parse(sys.argv[1:])
    sys.exit(importlib.import_module(f"foregate.app.roles.{options.role}").run(options))
