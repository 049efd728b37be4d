"""WebSockets over TLS on both sides."""

import socket
import ssl
from pathlib import Path

import msgspec
from tests.gateway.websockets.rig import echo, event
from tests.gateway.world import gateway, route, run, service
from tests.http1.certificates import make
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

from foregate.http1.tls import ServerCertificates
from foregate.wire.snapshot import Certificate, Listener, Target, UpstreamTls
from foregate.wire.websocket import WebSocket


def test_they_pass_over_tls_on_both_sides_and_close_without_delay(tmp_path: Path) -> None:
    """TLS knows no half-close: whoever waited for one would hold up the end of every WebSocket."""
    ours, theirs = make(tmp_path, "a", "a.example"), make(tmp_path, "svc", "svc.internal")
    trusting = ssl.create_default_context(cafile=ours.certificate)

    async def main() -> None:
        secure = ServerCertificates([theirs]).context
        async with serve(echo, "127.0.0.1", 0, ssl=secure, compression=None, max_size=None) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            target = Target(f"https://127.0.0.1:{port}", "127.0.0.1", port, tls=True)
            tls = UpstreamTls(ca_file=theirs.certificate, server_name="svc.internal")
            secret = msgspec.structs.replace(service(targets=[target]), tls=tls)
            async with gateway([secret], [route("/", auth=(), websocket=WebSocket())]) as w:
                sock = socket.create_server(("127.0.0.1", 0))
                listener = Listener(certificates=(Certificate(ours.certificate, ours.key),))
                await w.gateway.serve(sock, listener)
                address = f"wss://a.example:{sock.getsockname()[1]}/"
                options = {"host": "127.0.0.1", "ssl": trusting, "proxy": None, "max_size": None}
                async with connect(address, compression=None, **options) as client:
                    for size in (1, 100_000, 3_000_000):
                        await client.send(bytes(size))
                        assert await client.recv() == bytes(size)
                    begun_s = client.loop.time()
                assert client.loop.time() - begun_s < 1.5  # a half-close that nobody sees takes 2 s
                assert client.close_code == 1000
                said = await event(w)
                assert (said.error, said.protocol) == ("", "websocket")

    run(main)
