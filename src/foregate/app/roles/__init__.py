"""One module per process role: gateway, analyzer, control, lab. Each has `run(options) -> int` (the exit status).

Started as `python -m foregate.app.roles <role> --data-dir DIR`; each imports only what its process needs.
"""
