"""What we ask of the world, as small Protocols. Each is a promise, kept by every adapter and tested by one suite.

Consumes and emits nothing itself. `tests/ports/` holds the suites; `foregate.adapters` the keepers.
"""
