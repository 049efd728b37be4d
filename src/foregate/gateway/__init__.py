"""The data plane: every proxied request, from match to policies to upstream and back.

Consumes a `wire.snapshot.Snapshot` and client connections; emits one `wire.event.RequestEvent` per request to an
`EventSink` (refusals and clients that left included) and numbers to shared `Counters`. Promises: it serves the last
snapshot it was given for ever, waiting for nobody; a limit is exact across workers; a retry never repeats what is not
safe to repeat; a client never takes a broken answer for a whole one.

    slots = counter_slots(snapshot)                       # the table that all workers must share
    gateway = Gateway(snapshot, clock=..., sink=..., counters=..., pepper=..., rng=..., log=...)
    await gateway.serve(sock)                             # returns at once
    await gateway.drain(snapshot.drain_s)
"""

from foregate.gateway.gateway import Gateway
from foregate.gateway.layout import counter_slots
from foregate.gateway.proxy import Log

__all__ = ["Gateway", "Log", "counter_slots"]
