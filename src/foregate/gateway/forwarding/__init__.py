"""From the last policy to the last byte: attempts, retries, hedges, fallbacks, and the answer on its way back.

    Proxied(request, forward, chunked, forwarding).attempt(now_s)

An ordinary request is one `Proxied` and one attempt. What only some need (a retry's charge, hedges, a total time limit,
a fallback, the service's breaker) lies in `Rare`, made when the first of them is needed.
"""

from foregate.gateway.forwarding.grpc_call import GrpcCall
from foregate.gateway.forwarding.means import Forwarding
from foregate.gateway.forwarding.proxied import Proxied

__all__ = ["Forwarding", "GrpcCall", "Proxied"]
