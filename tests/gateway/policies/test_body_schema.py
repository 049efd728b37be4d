"""JSON bodies must fit their schema."""

import json
from typing import Any

import pytest
from tests.gateway.policies.asking import ask, means

from foregate.gateway.policies.body_schema import ERRORS_MAX, MESSAGE_CHARS_MAX, BodySchemaPolicy, compile_schema, read
from foregate.gateway.policies.policy import NeedBody, Place, Refuse
from foregate.wire.policies import BodySchema

SCHEMA = {
    "type": "object",
    "required": ["id"],
    "properties": {"id": {"type": "integer"}, "a/b~": {"type": "array", "items": {"type": "string"}}},
    "additionalProperties": False,
}
JSON = (b"content-type", b"application/vnd.x+json; charset=utf-8")


def verdict(
    body: bytes | None, *headers: tuple[bytes, bytes], schema: Any = SCHEMA, method: bytes = b"POST", **more: Any
) -> Any:
    length = [(b"content-length", b"%d" % len(body))] if body is not None else []
    request = ask(method, b"/", [*length, *(headers or (JSON,))], body=body)
    return BodySchemaPolicy(BodySchema(schema, **more), means(), Place()).admit(request)


def invalid(found: Any) -> Refuse:
    assert isinstance(found, Refuse), found
    assert found.code == "body_invalid"
    return found


def test_a_body_that_fits_passes() -> None:
    assert verdict(b'{"id": 7, "a/b~": ["x"]}') is None


def test_what_does_not_fit_is_told_with_its_place() -> None:
    found = invalid(verdict(b'{"id": "7", "a/b~": ["x", 1]}'))
    assert found.members is not None
    assert sorted(error["path"] for error in found.members["errors"]) == ["/a~1b~0/1", "/id"]
    assert all(error["message"] for error in found.members["errors"])


def test_errors_are_bounded_and_do_not_repeat_the_body() -> None:
    body = json.dumps({"id": 1, "a/b~": [{"secret": "hunter2" * 100}] * 50}).encode()
    found = invalid(verdict(body))
    assert found.members is not None
    assert len(found.members["errors"]) == ERRORS_MAX
    assert "hunter2" not in json.dumps(found.members)
    unknown = invalid(verdict(b'{"id": 1, "%s": 1}' % (b"x" * 5_000)))
    assert unknown.members is not None
    assert all(len(error["message"]) <= MESSAGE_CHARS_MAX for error in unknown.members["errors"])


def test_the_body_is_asked_for_first() -> None:
    request = ask(b"POST", b"/", [JSON, (b"content-length", b"10")])
    assert BodySchemaPolicy(BodySchema(SCHEMA, body_bytes_max=99), means(), Place()).admit(request) == NeedBody(99)


def test_a_missing_body_is_refused_where_one_is_needed() -> None:
    for method in (b"POST", b"PUT", b"PATCH"):
        invalid(verdict(None, method=method))
        invalid(verdict(b"", method=method))
        assert verdict(None, method=method, required=False) is None
    assert verdict(None, method=b"GET") is None


@pytest.mark.parametrize("method", [b"GET", b"DELETE", b"POST"])
def test_a_body_is_checked_whatever_the_method(method: bytes) -> None:
    invalid(verdict(b"{}", method=method, required=False))


@pytest.mark.parametrize(
    "headers",
    [
        [(b"content-type", b"text/plain")],
        [(b"x", b"1")],
        [JSON, (b"content-encoding", b"gzip")],
        [(b"content-type", b"x+json")],
    ],
)
def test_a_body_that_cannot_be_checked_does_not_pass(headers: list[tuple[bytes, bytes]]) -> None:
    found = verdict(b'{"id": 7}', *headers, required=False)
    assert isinstance(found, Refuse)
    assert found.code == "unsupported_media_type"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"id": 1, "id": "x"}',
        b'{"id": 1, "a/b~": [{"x": 1, "x": 2}]}',
        b'{"id": NaN}',
        b'{"id": -Infinity}',
        '{"id": 1}'.encode("utf-16"),
        b'\xef\xbb\xbf{"id": 1}',
        b'{"id": "\xff"}',
        b"[" * 100_000,
        b'{"id": "\\ud800"}',
        b'{"\\udFff": 1}',
        b'["\\ude00\\ud83d"]',
        b'{"id": ' + b"9" * 5_000 + b"}",
    ],
)
def test_what_readers_could_understand_differently_is_refused(body: bytes) -> None:
    found = invalid(verdict(body, schema={}))
    assert 0 < len(found.detail) <= MESSAGE_CHARS_MAX


@pytest.mark.parametrize("body", [b"[" * 500 + b"]" * 500, b'{"a":' * 500 + b"1" + b"}" * 500])
def test_what_is_wrong_and_nested_deeper_than_the_checker_tells_of_is_refused(body: bytes) -> None:
    assert "nested too deeply" in invalid(verdict(body, schema={"type": "string"})).detail


def test_whole_surrogate_pairs_and_shallow_nesting_pass() -> None:
    for body in (b'{"id": "\\ud83d\\ude00"}', b"[" * 100 + b"]" * 100, '{"id": "\U0001f600"}'.encode()):
        assert verdict(body, schema={}) is None


def test_a_reference_reaches_no_other_document() -> None:
    for ref in ("http://127.0.0.1:9/schema.json", "file:///etc/passwd", "other.json"):
        with pytest.raises(ValueError, match="not a JSON Schema"):
            compile_schema({"$ref": ref})
    local = {"$defs": {"n": {"type": "integer"}}, "properties": {"id": {"$ref": "#/$defs/n"}}}
    invalid(verdict(b'{"id": "x"}', schema=local))


@pytest.mark.parametrize("schema", [{"type": "nothing"}, {"properties": 7}, {"pattern": "("}, {"pattern": "(?=a)b"}])
def test_what_is_no_schema_does_not_load(schema: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not a JSON Schema"):
        compile_schema(schema)


@pytest.mark.timeout(20)
def test_no_pattern_runs_away() -> None:
    schema = {"properties": {"id": {"pattern": "^(a+)+$"}}}
    invalid(verdict(json.dumps({"id": "a" * 50_000 + "!"}).encode(), schema=schema))


def test_numbers_keep_their_meaning() -> None:
    assert read(b'{"a": 12345678901234567890123}') == {"a": 12345678901234567890123}
