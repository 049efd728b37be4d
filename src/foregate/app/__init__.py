"""The only place that sees everything: settings, wiring, roles, supervision, command line.

Consumes a configuration file, the environment and the command line; emits running processes. Promises that bad input
stops the start with a sentence that says where and what to do (exit 2), and that a stop is clean and bounded.
Planes never import this package.
"""
