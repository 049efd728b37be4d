"""Pure words that every plane shares: clock, ids, secrets, errors, limits, tasks.

Consumes and emits nothing; standard library only. It is the one door through which time, chance and background
tasks enter the product (ruff bans them elsewhere), so a test or a simulation can replace each of them.
Import the module you need: `from foregate.kernel.clock import Clock`.
"""
