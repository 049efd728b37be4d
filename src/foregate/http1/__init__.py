"""The HTTP/1.1 engine shared by gateway, ingest and lab: both sides, streaming, back-pressure, limits; no policy.

Consumes bytes, emits exchanges. Promises: a message with ambiguous framing is refused and its connection closed before
anybody sees it; answers go out in the order of their requests; whoever writes faster than the other side reads is told
to pause; a client that leaves is reported at once; trailers travel both ways; every wait, buffer and number of
connections has a bound from `kernel.limits` or `context.ServerContext`. TLS for both sides is in `tls`, a head's Date
in `date`. Field lists may be shared between messages with the same fields, so nobody changes them.

For the hot path (callbacks): `ServerConnection`, `server.ServerContext` and `Exchange` on the server side (contract:
`exchange.RequestReceiver`), `ClientConnection` on the client side (contract: `client.ResponseReceiver`).

For services and tools (coroutines):

    async def handle(request: Request) -> Response:
        if request.method == "POST":
            text = await request.body()                      # or: async for chunk in request.chunks()
        return Response(200, b'{"ok": true}')                # or Response(200, some_async_iterator, headers)

    server = Server(handle, SystemClock())
    port = await server.start("127.0.0.1", 0)                # or start(sock=...)
    client = Client(SystemClock())
    answer = await client.request("GET", f"http://127.0.0.1:{port}/x?y=1", headers=[(b"x-api-key", b"...")])
    answer.status, answer.header("content-type"), await answer.read()    # or: async for part in answer.chunks()
    answer.abandon()                                         # to leave in the middle
    # https:// with Client(clock, tls=client_context(...)); Unix sockets: start(path=...), http+unix://%2Frun%2Fa.sock/x
    await client.close(); await server.close(timeout_s=1.0)

A handler may raise `ForegateError(code)`, which is answered as problem+json; any other exception becomes a 500 and
is reported. When the client leaves, the handler's task is cancelled. `ClientResponse` is in
`http1.fetch`. `Client.request` raises `ForegateError` with `.spec.code` one of
upstream_refused, upstream_closed, upstream_timeout, upstream_malformed, upstream_truncated.
"""

from foregate.http1.client import ClientConnection
from foregate.http1.exchange import Exchange
from foregate.http1.fetch import Client
from foregate.http1.handler import Request, Response, Server
from foregate.http1.server import ServerConnection

__all__ = ["Client", "ClientConnection", "Exchange", "Request", "Response", "Server", "ServerConnection"]
