"""OTLP, the OpenTelemetry protocol: export requests of traces, metrics and logs, as protobuf and as JSON.

`protobuf` and `document` (JSON) take bodies apart; `spans`, `points` and `records` make our messages of what they hold,
which has the same names in both; `answers` says what became of it; `write` is the way out.
"""
