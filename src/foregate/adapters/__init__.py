"""Keepers of the ports: the only place where drivers (sqlite3, files, sockets outward) are touched.

Consumes calls through `foregate.ports`, emits bytes on disk or on a wire. Promises what the port promises, proved by
one suite per port in `tests/ports`. A package per world: `embedded` is one machine without any service.
"""
