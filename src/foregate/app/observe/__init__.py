"""foregate looked at by foregate: its own logs, metrics and traces, for its own stores, for Prometheus and by OTLP."""
