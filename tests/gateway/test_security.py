"""Who is let in and what is reshaped, through a real gateway."""

import asyncio
import base64
import hmac
import json
import time
from hashlib import sha256

from tests.gateway.policies import test_jwt as tokens
from tests.gateway.world import KEY, PEPPER, gateway, hash_key, route, run, service, statuses, talk, upstream

from foregate.http1 import Request, Response
from foregate.wire.policies import (
    ApiKeySource,
    Basic,
    BodySchema,
    Bounds,
    Cors,
    Hmac,
    IpFilter,
    Jwt,
    Policies,
    RequestTransform,
    ResponseTransform,
)
from foregate.wire.snapshot import AuthMethod, Key, Plan

JSON = (b"content-type", b"application/json")
SECRET = "a shared secret"


def test_no_spelling_of_a_closed_path_goes_to_an_open_route() -> None:
    async def main() -> None:
        routes = [route("/", auth=()), route("/private")]
        async with upstream() as (handler, port), gateway([service(port)], routes) as world:
            for path, status in (
                ("/private;x", 401),
                ("/private;x/a;y", 401),
                ("/%70rivate%3bx", 401),
                ("/;x/private", 400),
                ("/private%00", 400),
                ("/x/.%00./private", 400),
                ("/public;x", 200),
            ):
                answer = await talk(world.port, f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
                assert statuses(answer) == [status], path
            assert [request.path for request in handler.requests] == ["/public;x"]

    run(main)


def test_any_of_several_methods_lets_in_and_the_event_says_who_and_how() -> None:
    async def keys(request: Request) -> Response:
        return Response(200, tokens.jwks(tokens.EC).encode())

    async def main() -> None:
        async with upstream(keys) as (issuer, issuer_port), upstream() as (handler, port):
            jwt = Jwt(tokens.ISSUER, jwks_url=f"http://127.0.0.1:{issuer_port}/jwks")
            asked = route(
                "/", auth=("api_key", "jwt", "basic"), jwt=jwt, basic=Basic(), api_key=ApiKeySource(query="key")
            )
            async with gateway([service(port)], [asked]) as world:
                token = tokens.token(exp=time.time() + 60)
                for path, headers in (
                    (f"/a?x=1&key={KEY}", []),
                    ("/a", [(b"authorization", b"Bearer " + token)]),
                    ("/a", [(b"authorization", b"Bearer " + token)]),
                ):
                    answer = await world.client.request("GET", world.url(path), headers=headers)
                    assert answer.status == 200, await answer.read()
                    await answer.read()
                answer = await world.client.request("GET", world.url("/a"))
                await answer.read()
                assert answer.status == 401
                assert len([name for name, _ in answer.headers if name == b"www-authenticate"]) == 3
                assert handler.requests[0].query == "x=1"
                alice = f"jwt:{tokens.ISSUER}#alice"
                assert [event.key_id for event in world.sink.events] == ["key_demo", alice, alice, ""]
                assert "jwt:passed" in world.sink.events[1].policies
                assert len(issuer.requests) == 1

    run(main)


def test_whichever_credentials_were_right_the_upstream_sees_none_of_them() -> None:
    def basic(name: str, key: str) -> bytes:
        return b"Basic " + base64.b64encode(f"{name}:{key}".encode())

    async def main() -> None:
        methods: tuple[AuthMethod, ...] = ("api_key", "basic", "hmac")
        source = ApiKeySource(header="x-token", query="key", bearer=True)
        several = route("/all", auth=methods, api_key=source, hmac=Hmac({"demo": SECRET}))
        only = route("/only", auth=("api_key",), api_key=source)
        told = [(b"x-token", KEY.encode()), (b"x-signature", b"keyid=demo,ts=1,sig=" + b"a" * 64)]
        asked = (
            ("/all?key=" + KEY, [*told, (b"authorization", basic("demo", KEY))]),
            ("/all", [*told[1:], (b"authorization", basic("demo", KEY))]),
            ("/all?x=1&key=" + KEY, [told[1]]),
            ("/only?key=" + KEY, [told[0], (b"authorization", b"Bearer " + KEY.encode())]),
            ("/only?key=wrong", [told[0], (b"authorization", b"Bearer fg_wrong")]),
        )
        async with upstream() as (handler, port), gateway([service(port)], [several, only]) as world:
            for path, headers in asked:
                answer = await world.client.request("GET", world.url(path), headers=headers)
                assert answer.status == 200, await answer.read()
                await answer.read()
            for request in handler.requests:
                assert request.query in ("", "x=1")
                assert [request.header(name) for name in ("x-token", "authorization", "x-signature")] == [None] * 3

    run(main)


def test_a_consumers_own_policies_apply_once_it_is_known_who_asks() -> None:
    async def main() -> None:
        async with upstream() as (_, port):
            small = Policies(bounds=Bounds(body_bytes_max=4))
            keys = (
                Key("own", "own", hash_key("own", PEPPER), policies=small),
                Key("gold", "gold", hash_key("gold", PEPPER), plan="gold"),
                Key("free", "free", hash_key("free", PEPPER)),
            )
            plans = (Plan("gold", Policies(ip_filter=IpFilter(deny=("127.0.0.0/8",)))),)
            async with gateway([service(port)], [route("/")], keys=keys, plans=plans) as world:
                for key, status in (("own", 413), ("gold", 403), ("free", 200)):
                    headers = [(b"x-api-key", key.encode())]
                    answer = await world.client.request("POST", world.url(), headers=headers, body=b"12345")
                    await answer.read()
                    assert answer.status == status, key

    run(main)


def test_a_signed_body_is_checked_and_sent_on_whole() -> None:
    async def main() -> None:
        async with upstream() as (handler, port):
            signed = route("/", auth=("hmac",), hmac=Hmac({"demo": SECRET}))
            async with gateway([service(port)], [signed]) as world:
                ts, body = int(time.time()), b"x" * 100_000
                text = f"POST\n/a?b=1\n{ts}\n{sha256(body).hexdigest()}".encode()
                mac = hmac.new(SECRET.encode(), text, "sha256").hexdigest()
                headers = [(b"x-signature", f"keyid=demo,ts={ts},sig={mac}".encode())]
                for sent, status in ((body[:-1] + b"y", 401), (body, 200), (body, 401)):
                    answer = await world.client.request("POST", world.url("/a?b=1"), headers=headers, body=sent)
                    await answer.read()
                    assert answer.status == status
                assert handler.bodies == [body]
                assert world.sink.events[1].key_id == "key_demo"

    run(main)


def test_a_preflight_needs_no_key_and_refusals_can_be_read_by_the_page() -> None:
    async def main() -> None:
        async with upstream() as (handler, port):
            shared = route("/", cors=Cors(("https://app.example.com",)))
            async with gateway([service(port)], [shared]) as world:
                origin = (b"origin", b"https://app.example.com")
                asked = [origin, (b"access-control-request-method", b"PUT")]
                preflight = await world.client.request("OPTIONS", world.url(), headers=asked)
                await preflight.read()
                refused = await world.client.request("GET", world.url(), headers=[origin])
                await refused.read()
                passed = await world.client.request("GET", world.url(), headers=[origin, (b"x-api-key", KEY.encode())])
                await passed.read()
                assert [preflight.status, refused.status, passed.status] == [204, 401, 200]
                for answer in (preflight, refused, passed):
                    assert answer.header("access-control-allow-origin") == "https://app.example.com"
                assert len(handler.requests) == 1

    run(main)


def test_only_trusted_proxies_say_who_the_client_is() -> None:
    async def main() -> None:
        async with upstream() as (_, port):
            filtered = route("/", auth=(), ip_filter=IpFilter(deny=("192.0.2.0/24",)))
            for trusted, status in ((("127.0.0.0/8",), 403), ((), 200)):
                async with gateway([service(port)], [filtered], trusted_proxies=trusted) as world:
                    headers = [(b"x-forwarded-for", b"203.0.113.1, 192.0.2.7")]
                    answer = await world.client.request("GET", world.url(), headers=headers)
                    await answer.read()
                    assert answer.status == status

    run(main)


def test_bodies_are_checked_then_reshaped() -> None:
    async def main() -> None:
        async with upstream() as (handler, port):
            schema = BodySchema({"type": "object", "properties": {"id": {"type": "integer"}}})
            shaped = route(
                "/",
                body_schema=schema,
                request_transform=RequestTransform(set_body={"by": "${key.id}"}, set_headers={"x-by": "${key.id}"}),
                response_transform=ResponseTransform(set_headers={"content-type": "x/y"}),
            )
            async with gateway([service(port)], [shaped]) as world:
                headers = [JSON, (b"x-api-key", KEY.encode())]
                answer = await world.client.request("POST", world.url(), headers=headers, body=b'{"id": 1}')
                await answer.read()
                assert answer.status == 200
                assert answer.header("content-type") == "x/y"
                assert handler.bodies == [b'{"id":1,"by":"key_demo"}']
                answer = await world.client.request("POST", world.url(), headers=headers, body=b'{"id": "1"}')
                problem = json.loads(await answer.read())
                assert answer.status == problem["status"] == 422
                assert problem["errors"][0]["path"] == "/id"
                assert [event.error for event in world.sink.events] == ["", "body_invalid"]

    run(main)


def test_a_chunked_body_that_a_policy_reads_is_held_to_the_bounds_too() -> None:
    async def main() -> None:
        async with upstream() as (handler, port):
            bounded = route("/", auth=(), bounds=Bounds(body_bytes_max=1_000), body_schema=BodySchema({}))
            async with gateway([service(port)], [bounded]) as world:
                head = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
                head += b"transfer-encoding: chunked\r\n\r\n"
                body = b'"' + b"x" * 5_000 + b'"'
                answer = await talk(world.port, head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
                assert statuses(answer) == [413]
                reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
                writer.write(head)
                for _ in range(3):  # piece by piece, so that the policy is waiting for more
                    await asyncio.sleep(0.02)
                    writer.write(b"190\r\n" + b" " * 0x190 + b"\r\n")
                assert statuses(await reader.read()) == [413]
                writer.close()
                assert handler.requests == []

    run(main)
