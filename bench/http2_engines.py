"""`python -m bench.http2_engines`: CPU of a server's HTTP/2 library alone, per request, ngh2 beside h2; no sockets."""

import sys
import time
from collections.abc import Callable

import h2.config
import h2.connection
import h2.events
import ngh2

REQUESTS = 4_000
_BODY = b"x" * 163
_ASKED = [
    (b":method", b"GET"),
    (b":scheme", b"http"),
    (b":authority", b"a"),
    (b":path", b"/x"),
    (b"user-agent", b"bench"),
    (b"accept", b"*/*"),
    (b"x-api-key", b"123456789"),
]
Serve = Callable[[bytes, int], bytes]  # what the client sent, which request it is → what it is sent


def _answer(number: int) -> list[tuple[bytes, bytes]]:
    fields = [(b":status", b"200"), (b"content-type", b"application/json")]
    return [*fields, (b"content-length", b"%d" % len(_BODY)), (b"x-request-id", b"%d" % number)]


def by_ngh2() -> Serve:
    engine = ngh2.Connection(ngh2.Role.SERVER, ngh2.Configuration(auto_window_update=False))
    engine.initiate_connection({})

    def serve(data: bytes, number: int) -> bytes:
        engine.receive_data(data)
        for event in engine.events():
            if isinstance(event, ngh2.RequestReceived):
                engine.send_response(event.stream_id, _answer(number))
                engine.send_data(event.stream_id, _BODY, end_stream=True)
        out = engine.data_to_send()
        engine.events()
        return out

    return serve


def by_h2(*, checks: bool) -> Serve:
    config = h2.config.H2Configuration(client_side=False, header_encoding=None)
    if not checks:
        config.validate_inbound_headers = config.normalize_inbound_headers = False
        config.validate_outbound_headers = config.normalize_outbound_headers = False
    engine = h2.connection.H2Connection(config)
    engine.initiate_connection()

    def serve(data: bytes, number: int) -> bytes:
        for event in engine.receive_data(data):
            if isinstance(event, h2.events.RequestReceived) and event.stream_id:
                engine.send_headers(event.stream_id, _answer(number))
                engine.send_data(event.stream_id, _BODY, end_stream=True)
        return engine.data_to_send()

    return serve


def measure(serve: Serve) -> float:
    """Microseconds of CPU per request, the client's own not counted."""
    client = ngh2.Connection(ngh2.Role.CLIENT, ngh2.Configuration())
    client.initiate_connection({})
    cpu_s = 0.0
    for number in range(REQUESTS):
        client.send_request(_ASKED, end_stream=True)
        sent = client.data_to_send()
        before_s = time.process_time()
        answer = serve(sent, number)
        cpu_s += time.process_time() - before_s
        client.receive_data(answer)
        client.events()
    return 1e6 * cpu_s / REQUESTS


def main() -> int:
    found = {"ngh2": by_ngh2(), "h2": by_h2(checks=True), "h2 without its checks": by_h2(checks=False)}
    for name, serve in found.items():
        print(f"{name:24}{measure(serve):8.1f} µs of CPU per request")
    return 0


if __name__ == "__main__":
    sys.exit(main())
