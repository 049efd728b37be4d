"""TLS with certificates on both sides: who is let in, what policies and upstreams are told of whoever it is."""

import asyncio
import contextlib
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
from tests.gateway.upstream.making import tcp
from tests.gateway.world import KEY, PEPPER, World, gateway, route, run, service, snapshot, upstream
from tests.http1.certificates import make

from foregate.gateway.policies.mtls import _id_of
from foregate.http1 import Client, Request, Response, Server
from foregate.http1.client_certificate import read
from foregate.http1.tls import Certificate, ClientAuthorities, ServerCertificates, client_context
from foregate.kernel.clock import SystemClock
from foregate.kernel.errors import ForegateError
from foregate.kernel.secrets import hash_key
from foregate.wire.cache import Cache, CacheStorage
from foregate.wire.mtls import Mtls
from foregate.wire.policies import Policies, Rate, RateLimit
from foregate.wire.snapshot import Certificate as Served
from foregate.wire.snapshot import ClientAuth, Key, Listener, Route, Snapshot, UpstreamTls

SHOP = "/O=Acme, Inc./CN=shop"


class Site:
    """A gateway that listens with TLS and asks clients for certificates."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = make(folder, "gate", "gate.example")
        self.shop = make(folder, "shop", "URI:spiffe://acme/shop", "shop.acme.example", subject=SHOP)
        self.other = make(folder, "other", "other.example")
        self.stranger = make(folder, "stranger", "stranger.example")
        self.authorities = folder / "clients.pem"
        self.trust(self.shop, self.other)

    def trust(self, *pairs: Certificate) -> None:
        self.authorities.write_text("".join(Path(pair.certificate).read_text() for pair in pairs))

    def listener(self, auth: ClientAuth = "require") -> Listener:
        pair = Served(self.server.certificate, self.server.key)
        return Listener(certificates=(pair,), client_ca_file=str(self.authorities), client_auth=auth)

    @contextlib.asynccontextmanager
    async def serving(
        self, port: int, routes: Sequence[Route], auth: ClientAuth = "require", **more: object
    ) -> AsyncIterator[tuple[World, int]]:
        async with gateway([service(port)], routes, **more) as world:
            sock = socket.create_server(("127.0.0.1", 0))
            await world.gateway.serve(sock, self.listener(auth))
            yield world, sock.getsockname()[1]

    async def ask(self, port: int, pair: Certificate | None, **headers: str) -> tuple[int, bytes]:
        client = Client(SystemClock(), tls=client_context(verify=False, certificate=pair))
        try:
            fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
            response = await client.request("GET", f"https://127.0.0.1:{port}/", headers=fields)
            return response.status, await response.read()
        finally:
            await client.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("mtls"))


async def told(request: Request) -> Response:
    return Response(200, (request.header("x-forwarded-client-cert") or "").encode())


def test_only_clients_of_the_authorities_are_let_in_and_the_upstream_is_told_who_they_are(site: Site) -> None:
    fingerprint = sha256(ssl.PEM_cert_to_DER_cert(Path(site.shop.certificate).read_text())).hexdigest()

    async def main() -> None:
        async with upstream(told) as (_, port), site.serving(port, [route("/", auth=())]) as (_, secure):
            status, said = await site.ask(secure, site.shop, x_forwarded_client_cert="Hash=forged")
            assert status == 200
            assert said == (
                b'Hash=%s;Subject="CN=shop,O=Acme\\\\, Inc.";URI=spiffe://acme/shop;DNS=shop.acme.example'
                % fingerprint.encode()
            )
            for unknown in (site.stranger, None):
                with pytest.raises(ForegateError):
                    await site.ask(secure, unknown)

    run(main)


def test_what_a_client_says_of_certificates_is_never_sent_on(site: Site) -> None:
    async def main() -> None:
        async with upstream(told) as (_, port), site.serving(port, [route("/", auth=())], "request") as (world, secure):
            assert await site.ask(secure, None, x_forwarded_client_cert="Hash=forged") == (200, b"")
            headers = [(b"x-forwarded-client-cert", b"Hash=forged")]
            plain = await world.client.request("GET", world.url(), headers=headers)
            assert await plain.read() == b""

    run(main)


def test_a_route_may_want_a_certificate_and_only_some(site: Site) -> None:
    async def main() -> None:
        routes = [route("/", auth=("mtls",), mtls=Mtls(allow=("spiffe://acme/*", "CN=nobody")))]
        async with upstream() as (_, port), site.serving(port, routes, "request") as (world, secure):
            assert (await site.ask(secure, site.shop))[0] == 200
            assert (await site.ask(secure, site.other))[0] == 403
            assert (await site.ask(secure, None))[0] == 401
            assert (await world.client.request("GET", world.url())).status == 401  # over the plain listener
            assert [event.key_id for event in world.sink.events] == ["mtls:spiffe://acme/shop", "", "", ""]

    run(main)


@pytest.mark.parametrize("allowed", ["CN=shop,O=Acme\\, Inc.", "shop.acme.example", "spiffe://acme/shop"])
def test_a_certificate_is_allowed_by_any_of_its_names(site: Site, allowed: str) -> None:
    async def main() -> None:
        routes = [route("/", auth=("mtls",), mtls=Mtls(allow=(allowed,)))]
        async with upstream() as (_, port), site.serving(port, routes) as (_, secure):
            assert (await site.ask(secure, site.shop))[0] == 200
            assert (await site.ask(secure, site.other))[0] == 403

    run(main)


def test_a_key_of_the_certificates_name_lends_its_policies(site: Site) -> None:
    async def main() -> None:
        limit = RateLimit(rate=Rate(1, 60), burst=1)
        name = "spiffe://acme/shop"
        keys = (Key("key_shop", name, hash_key(KEY, PEPPER), policies=Policies(rate_limits=(limit,))),)
        async with (
            upstream() as (_, port),
            site.serving(port, [route("/", auth=("api_key", "mtls"))], keys=keys) as (world, secure),
        ):
            found = [(await site.ask(secure, site.shop))[0] for _ in range(2)]
            assert found == [200, 429], world.log
            assert [(await site.ask(secure, site.other))[0] for _ in range(2)] == [200, 200]
            assert [event.key_id for event in world.sink.events] == [*["key_shop"] * 2, *["mtls:other.example"] * 2]

    run(main)


def test_authorities_are_read_again_with_a_reload(site: Site, tmp_path: Path) -> None:
    async def main() -> None:
        async with upstream() as (_, port), site.serving(port, [route("/", auth=())]) as (world, secure):
            assert (await site.ask(secure, site.other))[0] == 200
            site.trust(site.shop)
            try:
                before: Snapshot = snapshot([service(port)], [route("/", auth=())])
                await world.gateway.apply(before)
                with pytest.raises(ForegateError):
                    await site.ask(secure, site.other)
                assert (await site.ask(secure, site.shop))[0] == 200
            finally:
                site.trust(site.shop, site.other)

    run(main)


def test_a_session_lets_nobody_in_whose_authority_has_gone(site: Site) -> None:
    """TLS 1.2 resumes sessions by an id that the server remembers, without a look at the certificate."""
    client = client_context(ca_file=site.server.certificate, certificate=site.other)
    client.maximum_version = ssl.TLSVersion.TLSv1_2

    def resumed(port: int, session: ssl.SSLSession | None) -> tuple[bool, ssl.SSLSession]:
        plain = socket.create_connection(("127.0.0.1", port), 5.0)
        with plain, client.wrap_socket(plain, server_hostname="gate.example", session=session) as secure:
            secure.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert secure.recv(65_536).startswith(b"HTTP/1.1 200")
            assert secure.session is not None
            found = bool(secure.session_reused), secure.session
            with contextlib.suppress(OSError):
                secure.unwrap()  # only a session that was ended properly is kept
            return found

    async def main() -> None:
        async with upstream() as (_, port), site.serving(port, [route("/", auth=())]) as (world, secure):
            _, session = await asyncio.to_thread(resumed, secure, None)
            assert (await asyncio.to_thread(resumed, secure, session))[0]  # else this proves nothing
            site.trust(site.shop)
            try:
                await world.gateway.apply(snapshot([service(port)], [route("/", auth=())]))
                with pytest.raises((ssl.SSLError, ConnectionError)):
                    await asyncio.to_thread(resumed, secure, session)
            finally:
                site.trust(site.shop, site.other)

    run(main)


def test_an_answer_made_for_one_certificate_is_cached_for_no_other(site: Site) -> None:
    async def answer(request: Request) -> Response:
        said = (request.header("x-forwarded-client-cert") or "").encode()
        return Response(200, said, [(b"cache-control", b"max-age=60")])

    async def main() -> None:
        routes = [route("/", auth=(), cache=Cache())]
        async with (
            upstream(answer) as (asked, port),
            site.serving(port, routes, "request", cache=CacheStorage()) as (_, secure),
        ):
            for _ in range(2):
                assert b"spiffe://acme/shop" in (await site.ask(secure, site.shop))[1]
                assert b"other.example" in (await site.ask(secure, site.other))[1]
                assert (await site.ask(secure, None))[1] == b""
            assert len(asked.requests) == 3  # each once: the second time all came from the cache

    run(main)


def test_an_answer_is_cached_for_one_certificate_also_where_a_key_says_who_asks(site: Site) -> None:
    async def answer(request: Request) -> Response:
        said = (request.header("x-forwarded-client-cert") or "").encode()
        return Response(200, said, [(b"cache-control", b"max-age=60")])

    async def main() -> None:
        keys = (Key("key_demo", "demo", hash_key(KEY, PEPPER), org="acme"),)
        async with (
            upstream(answer) as (asked, port),
            site.serving(port, [route("/", cache=Cache())], "request", cache=CacheStorage(), keys=keys) as (_, secure),
        ):
            for _ in range(2):
                assert b"spiffe://acme/shop" in (await site.ask(secure, site.shop, x_api_key=KEY))[1]
                assert b"other.example" in (await site.ask(secure, site.other, x_api_key=KEY))[1]
                assert await site.ask(secure, None, x_api_key=KEY) == (200, b"")
            assert len(asked.requests) == 3

    run(main)


def test_names_too_long_for_an_id_are_still_told_apart() -> None:
    first, second = (_id_of("spiffe://acme/" + "a" * 200 + end) for end in "xy")
    assert first != second
    assert max(len(first), len(second)) <= 128
    assert _id_of("shop.example") == "mtls:shop.example"


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl for HTTP/2 with a certificate")
def test_over_http2_a_client_is_known_by_its_certificate_too(site: Site) -> None:
    async def main() -> None:
        routes = [route("/", auth=("mtls",), mtls=Mtls(allow=("spiffe://acme/*",)))]
        async with upstream(told) as (_, port), site.serving(port, routes) as (world, secure):
            pair = "--cert", site.shop.certificate, "--key", site.shop.key
            process = await asyncio.create_subprocess_exec(
                *("curl", "-sk", "--http2", *pair, f"https://127.0.0.1:{secure}/"), stdout=asyncio.subprocess.PIPE
            )
            said, _ = await process.communicate()
            assert b"URI=spiffe://acme/shop" in said
            assert (world.event.protocol, world.event.key_id) == ("h2", "mtls:spiffe://acme/shop")

    run(main)


def test_an_upstream_is_shown_our_certificate(site: Site) -> None:
    async def main() -> None:
        server = Server(told, SystemClock())
        clients = ClientAuthorities(str(site.authorities))
        port = await server.start(tls=ServerCertificates([site.server], clients=clients).context)
        for pair, status in ((site.shop, 200), (None, 502)):
            tls = UpstreamTls(
                ca_file=site.server.certificate,
                server_name="gate.example",
                certificate=pair.certificate if pair is not None else None,
                key=pair.key if pair is not None else None,
            )
            asked = msgspec.structs.replace(service(targets=[tcp(port, tls=True)]), tls=tls)
            async with gateway([asked]) as world:
                assert (await world.client.request("GET", world.url())).status == status
        await server.close()

    run(main)


def test_no_name_of_a_certificate_breaks_out_of_its_field() -> None:
    details = {
        "subject": ((("commonName", 'a"b\\c,d\r\nx: y ü'),),),
        "subjectAltName": (("URI", "x://a;b=c,d"), ("URI", "x://a\r\nb"), ("DNS", "ok.example"), ("email", "a@b")),
    }
    said = read(b"der", details)
    assert said.forwarded.endswith(b';URI="x://a;b=c,d";DNS=ok.example')
    assert b"\r" not in said.forwarded
    assert b"\n" not in said.forwarded
    assert said.forwarded.isascii()
    assert said.names == ("x://a;b=c,d", "ok.example", "a@b")
    assert said.subject == 'CN=a\\"b\\\\c\\,d\\0D\\0Ax: y \\C3\\BC'
