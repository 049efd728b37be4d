"""Taking telemetry in over HTTP/1.1 and HTTP/2: what is acknowledged is durable.

Consumes posts of request events, OTLP (HTTP and gRPC) and Prometheus remote write; emits batches on the bus
(`Committer`: one durable step for all that wait) and counts (`counts`). Promises: an answer of success comes after the
bus has stored; a post is stored whole or not at all, and one with an id once; what waits is bounded, and beyond that
senders are told when to come again, before their bodies are read.
"""

from foregate.telemetry.ingest.committer import Committer
from foregate.telemetry.ingest.counts import INTAKE_ROWS, Counts, Taken, read_counts
from foregate.telemetry.ingest.keys import Keys
from foregate.telemetry.ingest.server import IngestServer

__all__ = ["INTAKE_ROWS", "Committer", "Counts", "IngestServer", "Keys", "Taken", "read_counts"]
