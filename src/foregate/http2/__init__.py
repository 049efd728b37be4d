"""The HTTP/2 engine (RFC 9113, 8441): both sides, on libnghttp2; no policy. What `http1` promises holds here too.

Towards clients: `server.take_over` goes on with a connection of `http1` whose client began with HTTP/2. It consumes
bytes and emits exchanges (`exchange.Exchange`, in the words of `http1.Exchange`), one per stream, to the application of
the same `ServerContext`. Promises beside those of `http1`: a slow stream holds up no other one; a connection that only
costs is ended; what waits on one, both ways, has a bound in bytes.

Towards upstreams: `client`, in the words of `http1.ClientConnection`.
"""
