"""The data plane: every proxied request, from match to policies to upstream and back.

Consumes a `wire.snapshot.Snapshot` (and the next one, while it serves) and client connections; emits one
`wire.event.RequestEvent` per request to an `EventSink` (refusals and clients that left included) and numbers to shared
`Blocks`. Promises: it serves the last good snapshot for ever, waiting for nobody; a change of snapshot breaks no
request; a limit is exact across workers; a retry never repeats what is not safe to repeat; a client never takes a
broken answer for a whole one.

    gateway = Gateway(snapshot, clock=..., sink=..., blocks=..., limits=..., pepper=..., rng=..., log=...)
    await gateway.serve(sock)                             # returns at once
    await gateway.apply(another_snapshot)
    await gateway.drain(snapshot.drain_s)
"""

from foregate.gateway.gateway import Gateway

__all__ = ["Gateway"]
