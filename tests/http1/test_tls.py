"""TLS over real sockets: which certificate is shown, what a reload changes and what it leaves alone."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.http1.certificates import make
from tests.http1.world import Seen, answer_ok, context, run, statuses

from foregate.http1 import Client, Server, ServerConnection
from foregate.http1.certificate_names import dns_names
from foregate.http1.server import ServerContext
from foregate.http1.tls import BadCertificate, Certificate, ServerCertificates, client_context
from foregate.kernel.clock import SystemClock
from foregate.kernel.errors import ForegateError

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


@contextlib.asynccontextmanager
async def tls_server(tls: ssl.SSLContext, shared: ServerContext | None = None) -> AsyncIterator[int]:
    shared = shared or context(answer_ok)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: ServerConnection(shared), "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await shared.close(0)
        shared.deadlines.stop()


async def shown(port: int, server_name: str | None) -> tuple[str, ...]:
    """The names of the certificate that a client with this server name is shown."""
    unchecked = client_context(verify=False)
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=unchecked, server_hostname=server_name or "")
    connection = writer.get_extra_info("ssl_object")
    names = dns_names(connection.getpeercert(binary_form=True))
    assert connection.selected_alpn_protocol() == "http/1.1"
    writer.close()
    return names


@pytest.mark.parametrize(
    ("server_name", "names"),
    [
        ("b.example", ("b.example", "*.b.example")),
        ("B.Example", ("b.example", "*.b.example")),
        ("x.b.example", ("b.example", "*.b.example")),
        ("special.b.example", ("special.b.example",)),
        ("x.y.b.example", ("a.example",)),
        ("nobody.example", ("a.example",)),
        (None, ("a.example",)),
    ],
)
def test_the_server_name_chooses_exact_then_wildcard_then_first(
    tmp_path: Path, server_name: str | None, names: tuple[str, ...]
) -> None:
    certificates = ServerCertificates(
        [
            make(tmp_path, "a", "a.example"),
            make(tmp_path, "b", "b.example", "*.b.example"),
            make(tmp_path, "special", "special.b.example"),
        ]
    )

    async def main() -> tuple[str, ...]:
        async with tls_server(certificates.context) as port:
            return await shown(port, server_name)

    assert run(main) == names


def test_given_names_stand_before_those_of_the_certificate(tmp_path: Path) -> None:
    plain, named = make(tmp_path, "a", "a.example"), make(tmp_path, "b")
    certificates = ServerCertificates([plain, named._replace(names=("Given.example",))])
    assert certificates.names == ("a.example", "given.example")


def test_a_reload_changes_new_handshakes_and_leaves_live_connections_alone(tmp_path: Path) -> None:
    before, after = make(tmp_path, "old", "old.example"), make(tmp_path, "new", "new.example")
    certificates = ServerCertificates([before])

    async def main() -> None:
        async with tls_server(certificates.context) as port:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=client_context(verify=False), server_hostname="old.example"
            )
            writer.write(GET)
            await reader.readuntil(b"ok")
            certificates.reload([after])
            assert await shown(port, "old.example") == ("new.example",)
            writer.write(GET)
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
            writer.close()

    run(main)


def bad(folder: Path, kind: str) -> Certificate:
    good = make(folder, "good", "good.example")
    other = make(folder, "other", "other.example")
    if kind == "missing":
        return Certificate(str(folder / "none.crt"), good.key)
    if kind == "swapped key":
        return Certificate(good.certificate, other.key)
    if kind == "cut off":
        (folder / "cut.crt").write_bytes(Path(good.certificate).read_bytes()[:200])
        return Certificate(str(folder / "cut.crt"), good.key)
    (folder / "text.crt").write_text("hello")
    return Certificate(str(folder / "text.crt"), good.key)


@pytest.mark.parametrize("kind", ["missing", "swapped key", "cut off", "text"])
def test_a_bad_file_is_named_and_the_old_certificates_stay(tmp_path: Path, kind: str) -> None:
    certificates = ServerCertificates([make(tmp_path, "first", "first.example")])
    broken = bad(tmp_path, kind)
    with pytest.raises(BadCertificate, match=Path(broken.certificate).name):
        certificates.reload([broken])

    async def main() -> tuple[str, ...]:
        async with tls_server(certificates.context) as port:
            return await shown(port, "first.example")

    assert run(main) == ("first.example",)


def test_no_certificate_at_all_is_refused() -> None:
    with pytest.raises(BadCertificate, match="at least one"):
        ServerCertificates([])


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_older_than_tls_1_2_is_refused(tmp_path: Path, version: ssl.TLSVersion) -> None:
    certificates = ServerCertificates([make(tmp_path, "a", "a.example")])
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.minimum_version = old.maximum_version = version
    old.set_ciphers("ALL:@SECLEVEL=0")

    async def main() -> None:
        async with tls_server(certificates.context) as port:
            await asyncio.open_connection("127.0.0.1", port, ssl=old, server_hostname="a.example")

    with pytest.raises((ssl.SSLError, ConnectionError)):
        run(main)


def test_sessions_are_resumed_by_ticket_also_after_a_reload(tmp_path: Path) -> None:
    pair = make(tmp_path, "a", "a.example")
    certificates = ServerCertificates([pair])

    def handshake(client: ssl.SSLContext, session: ssl.SSLSession | None) -> tuple[bool, ssl.SSLSession]:
        """One handshake and one byte in memory, since the ticket comes after the handshake."""
        there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
        asking = client.wrap_bio(back, there, server_hostname="a.example", session=session)
        serving = certificates.context.wrap_bio(there, back, server_side=True)
        for _ in range(4):
            for side in (asking, serving):
                with contextlib.suppress(ssl.SSLWantReadError):
                    side.do_handshake()
        serving.write(b"x")
        assert asking.read(1) == b"x"
        assert asking.session is not None
        return bool(asking.session_reused), asking.session

    client = client_context(ca_file=pair.certificate)
    reused, session = handshake(client, None)
    assert not reused
    assert handshake(client, session)[0]
    certificates.reload([pair])
    assert handshake(client, session)[0]


def test_a_refused_message_over_tls_is_answered_and_its_connection_closed(tmp_path: Path) -> None:
    pair = make(tmp_path, "a", "a.example")

    async def main() -> bytes:
        async with tls_server(ServerCertificates([pair]).context) as port:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=client_context(ca_file=pair.certificate), server_hostname="a.example"
            )
            writer.write(b"GET / HTTP/1.1\r\nX : a\r\n\r\n")
            answer = await reader.read()
            writer.close()
            return answer

    assert statuses(run(main)) == [400]


def test_a_client_asks_over_tls_and_trusts_only_whom_it_is_told_to_trust(tmp_path: Path) -> None:
    pair, stranger = make(tmp_path, "a", "localhost"), make(tmp_path, "b", "localhost")

    async def main() -> None:
        server = Server(Seen(), SystemClock())
        port = await server.start(tls=ServerCertificates([pair]).context)
        url = f"https://localhost:{port}/x"
        for trusted in (pair, stranger):
            asking = Client(SystemClock(), tls=client_context(ca_file=trusted.certificate))
            if trusted is pair:
                answers = [await (await asking.request("GET", url)).read() for _ in range(2)]
                assert answers == [b"/x", b"/x"]
                big = await asking.request("POST", url, body=b"z" * 500_000)
                assert len(await big.read()) == 500_000
            else:
                with pytest.raises(ForegateError) as raised:
                    await asking.request("GET", url)
                assert raised.value.spec.code == "upstream_refused"
            await asking.close()
        await server.close()

    run(main)


def test_a_missing_ca_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadCertificate, match=r"none\.pem"):
        client_context(ca_file=str(tmp_path / "none.pem"))


def test_a_unix_socket_serves_as_a_port_does_and_its_peer_has_no_address(tmp_path: Path) -> None:
    async def main() -> tuple[bytes, list[str]]:
        server, asking = Server(Seen(), SystemClock()), Client(SystemClock())
        path = str(tmp_path / "s")
        assert await server.start(path=path) == 0
        answer = await asking.request("GET", f"http+unix://{path.replace('/', '%2F')}/x?y=1")
        body = await answer.read()
        peers = [connection.peer for connection in server._context.connections]
        await asking.close()
        await server.close()
        return body, peers

    assert run(main) == (b"/x", [""])
