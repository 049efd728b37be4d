"""What is changed on the way: and that nothing which a request fills in breaks out of its place."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.policies.asking import ask, means

from foregate.gateway.policies.placeholders import FILLED_BYTES_MAX, compiled, filled
from foregate.gateway.policies.policy import Consumer, NeedBody, Place, Refuse
from foregate.gateway.policies.request_transform import RequestTransformPolicy, without
from foregate.gateway.policies.response_transform import ResponseTransformPolicy
from foregate.wire.placeholders import problem_in
from foregate.wire.policies import RequestTransform, ResponseTransform

JSON = (b"content-type", b"application/json")


def transform(**settings: Any) -> RequestTransformPolicy:
    return RequestTransformPolicy(RequestTransform(**settings), means(), Place())


def changed(request: Any, **settings: Any) -> Any:
    assert transform(**settings).admit(request) is None
    return request


def post(body: bytes, *headers: tuple[bytes, bytes]) -> Any:
    return ask(b"POST", b"/", [(b"content-length", b"%d" % len(body)), *(headers or (JSON,))], body=body)


def test_fields_are_removed_set_and_added() -> None:
    request = ask(headers=[(b"x-a", b"1"), (b"x-b", b"2"), (b"x-ab", b"3"), (b"x-c", b"4")])
    changed(request, set_headers={"x-a": "new"}, add_headers={"x-c": "more"}, remove_headers=("x-b",))
    assert list(request.kept) == [b"x-ab: 3", b"x-c: 4", b"x-a: new", b"x-c: more"]


def test_every_placeholder_is_filled_in() -> None:
    request = ask(
        path=b"/?q=a%20b&q=2",
        headers=[(b"x-in", b"seen")],
        peer="192.0.2.1",
        consumer=Consumer("k1", "acme", "gold", "", "n"),
    )
    request.params = {"id": "7"}
    text = (
        "${param.id}|${header.X-In}|${query.q}|${key.id}|${key.org}|${key.plan}|${key.name}|${client.ip}|${request.id}|"
    )
    changed(request, set_headers={"x-out": text})
    assert request.kept[-1] == b"x-out: 7|seen|a b|k1|acme|gold|n|192.0.2.1|%s|" % request.request_id.encode()


def test_what_is_not_there_is_empty() -> None:
    request = changed(ask(), set_headers={"x": "[${param.id}${header.a}${query.b}${key.id}]"})
    assert list(request.kept) == [b"x: []"]


@given(st.text(max_size=30), st.text(max_size=30))
def test_nothing_that_is_filled_in_ends_a_line(param: str, written: str) -> None:
    query = "".join(f"%{byte:02X}" for byte in written.encode("utf-8", "surrogatepass"))
    request = ask(path=b"/?q=" + query.encode())
    request.params = {"id": param.encode("utf-8", "ignore").decode()}
    changed(request, set_headers={"x": "${param.id}-${query.q}"}, set_query={"to": "${param.id}${query.q}"})
    assert len(request.kept) == 1
    for control in (b"\r", b"\n", b"\0"):
        assert control not in request.kept[0]
        assert control not in request.query
    assert request.query.count(b"&") == 1
    assert b" " not in request.query
    assert b"#" not in request.query


def test_response_fields_are_filled_in_as_safely() -> None:
    policy = ResponseTransformPolicy(ResponseTransform(set_headers={"x": "${query.q}"}), means(), Place())
    assert policy.answered(ask(path=b"/?q=a%0d%0ab:%00c"), 200, []) == [(b"x", b"ab:c")]


def test_a_filled_in_value_is_bounded() -> None:
    value = filled(compiled("${header.a}${header.a}"), ask(headers=[(b"a", b"x" * 6_000)]))
    assert len(value) == FILLED_BYTES_MAX


@pytest.mark.parametrize(
    "text", ["${nothing}", "${param.}", "${key.secret}", "${env:X}", "${", "a ${param.id", "${client.port}"]
)
def test_an_unknown_placeholder_does_not_load(text: str) -> None:
    assert problem_in([text]) is not None
    with pytest.raises(ValueError, match=r"\$"):
        transform(set_headers={"x": text})


def test_text_with_dollars_and_braces_is_text() -> None:
    assert compiled("$5 {a} $a }") == b"$5 {a} $a }"


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (b"/?a=1&b=2&c=3", b"?b=2&a=x%26y"),
        (b"/?c=3&%61=9", b"?a=x%26y"),
        (b"/", b"?a=x%26y"),
        (b"/?b", b"?b&a=x%26y"),
    ],
)
def test_parameters_are_removed_and_set_however_they_are_spelled(path: bytes, query: bytes) -> None:
    assert changed(ask(path=path), set_query={"a": "x&y"}, remove_query=("c",)).query == query


def test_a_query_of_nothing_else_disappears() -> None:
    assert changed(ask(path=b"/?c=1"), remove_query=("c",)).query == b""
    assert without(b"?a&b", frozenset([b"c"])) == b"?a&b"


def test_members_of_a_body_are_set_and_removed_and_the_others_keep_their_bytes() -> None:
    request = post(b'{"a": 1.10, "admin": true, "big": 12345678901234567890123, "s": "\\u00e9"}')
    request.consumer = Consumer("k1")
    changed(request, set_body={"by": "${key.id}", "n": {"x": [1]}, "a": 2}, remove_body=("admin",))
    assert request.body == b'{"big":12345678901234567890123,"s":"\\u00e9","by":"k1","n":{"x":[1]},"a":2}'


def test_a_member_that_is_there_twice_is_there_once_afterwards() -> None:
    request = changed(post(b'{"admin": 1, "x": 1, "admin": 2, "x": 2}'), remove_body=("admin",))
    assert json.loads(request.body) == {"x": 2}
    assert request.body.count(b"x") == 1


@given(st.text(max_size=20))
def test_a_filled_in_member_is_json_whatever_it_holds(text: str) -> None:
    request = post(b"{}")
    request.params = {"id": text.encode("utf-8", "ignore").decode()}
    changed(request, set_body={"id": "<${param.id}>"})
    assert json.loads(request.body)["id"].startswith("<")


def test_the_body_is_asked_for_only_where_there_is_one() -> None:
    request = post(b"{}")
    request.body = None
    assert transform(remove_body=("a",), body_bytes_max=9).admit(request) == NeedBody(9)
    request = ask()
    assert changed(request, remove_body=("a",)).body is None
    assert changed(post(b"raw", (b"content-type", b"text/plain")), set_headers={"a": "b"}).body == b"raw"


@pytest.mark.parametrize("body", [b"[1]", b"{", b'"a"', b"{}x", b"\xff", b"[" * 10_000])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    found = transform(remove_body=("a",)).admit(post(body))
    assert isinstance(found, Refuse)
    assert found.code == "body_invalid"


@pytest.mark.parametrize(
    "headers", [[(b"content-type", b"text/plain")], [JSON, (b"content-encoding", b"gzip")], [(b"x", b"1")]]
)
def test_a_body_that_cannot_be_read_does_not_pass_unchanged(headers: list[tuple[bytes, bytes]]) -> None:
    found = transform(remove_body=("a",)).admit(post(b"{}", *headers))
    assert isinstance(found, Refuse)
    assert found.code == "unsupported_media_type"


def test_fields_of_the_answer_are_removed_set_and_added() -> None:
    settings = ResponseTransform(
        set_headers={"Server": "us"}, add_headers={"via": "fg"}, remove_headers=("x-powered-by",)
    )
    policy = ResponseTransformPolicy(settings, means(), Place())
    headers = [(b"server", b"them"), (b"via", b"one"), (b"x-powered-by", b"php"), (b"etag", b"1")]
    assert policy.answered(ask(), 200, headers) == [
        (b"via", b"one"),
        (b"etag", b"1"),
        (b"server", b"us"),
        (b"via", b"fg"),
    ]
    assert len(headers) == 4  # the upstream's own list is left alone
