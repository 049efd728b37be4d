"""Paths become templates: what identifies something is a placeholder, what names something stays."""

import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foregate.telemetry.identity.templates import TEMPLATE_CHARS_MAX, template


@pytest.mark.parametrize(
    "segment",
    [
        "42", "-7", "4.2", "007", "10.0.0.1", "550e8400-e29b-41d4-a716-446655440000",
        "550E8400E29B41D4A716446655440000",
        "{550e8400-e29b-41d4-a716-446655440000}", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "deadbeef1", "0xdeadbeef01", "5f3759df",
        "507f1f77bcf86cd799439011", "cus_NffrFeUfNV2Hib", "ord-123", "sk_live_4eC39HqLyjWDarjtT1zdp7dc", "user_42",
        "dQw4w9WgXcQ0aB3dE6fG", "V1StGXR8_Z5jdHi6B-myT", "YWxhZGRpbjpvcGVuc2VzYW1l0Q==", "k8s9x2m4q7w1z3y5",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2ln", "%34%32", "42;v=1",
    ],
)  # fmt: skip
def test_what_identifies_is_an_id(segment: str) -> None:
    assert template(f"/users/{segment}/orders") == "/users/{id}/orders"


@pytest.mark.parametrize(
    "segment",
    [
        "users", "v1", "v2.1", "oauth2", "getUserProfileV2Internal", "how-to-make-10-cakes", "decade", "acceded",
        "facade", "index.html", "robots.txt", "utf8", "s3", "ipv4", "internationalization", ".well-known", "~home",
        "a+b", "user-accounts", "HTML5", "search:batch",
        "findTop10ByOrderId", "getOAuth2TokenForUser", "ListObjectsV2ByKey",
        "oauth2authorization", "{id}", ":id", "{userId}", "*",
    ],
)  # fmt: skip
def test_what_names_something_stays(segment: str) -> None:
    assert template(f"/api/{segment}/x") == f"/api/{segment}/x"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", "/"),
        ("/", "/"),
        ("/users/42?x=/7", "/users/{id}"),
        ("/users/42#top", "/users/{id}"),
        ("https://api.example/users/42", "/users/{id}"),
        ("users/42/", "/users/{id}"),
        ("//users//42", "/users/{id}"),
        ("/days/2026-11-21", "/days/{date}"),
        ("/at/2026-11-21T22:56:51Z", "/at/{date}"),
        ("/months/2026-11", "/months/{date}"),
        ("/people/ann@example.com", "/people/{email}"),
        ("/people/ann%40example.com", "/people/{email}"),
        ("/reports/42.pdf", "/reports/{id}.pdf"),
        ("/files/a%2Fb", "/files/{value}"),  # an encoded slash is no border, and no name has one
        ("/files/%2e%2e%2f42", "/files/{value}"),
        ("/files/%2534", "/files/%2534"),  # undone once: "%34" is a name like any other
        ("/%75sers", "/users"),
        ("/caf%C3%A9", "/caf%C3%A9"),
        ("/bad%zz%ff", "/{value}"),
        ("/q/two%20words", "/q/{value}"),
        ("/q/" + "z" * 65, "/q/{value}"),
        ("/q/" + "z" * 5_000, "/q/{value}"),
        ("/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r", "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/{rest}"),
        ("/users;jsessionid=1234/42", "/users/{id}"),
    ],
)
def test_the_traps_of_paths(path: str, expected: str) -> None:
    assert template(path) == expected


_PATHS = st.one_of(
    st.text(max_size=300),
    st.lists(
        st.one_of(
            st.sampled_from(
                ["users", "42", "%2F", "%", "..", "{id}", "v1", "a@b.cc", "2026-11-21", ";", "%31", "x.json"]
            ),
            st.text(alphabet="aZ09-_.%~@{}:;é\x00", max_size=40),
        ),
        max_size=20,
    ).map(lambda parts: "/" + "/".join(parts)),
)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(_PATHS)
def test_a_template_is_bounded_and_its_own_template(path: str) -> None:
    found = template(path)
    assert found.startswith("/")
    assert len(found) <= TEMPLATE_CHARS_MAX
    assert template(found) == found
    assert "\0" not in found


@settings(max_examples=300, derandomize=True, deadline=None)
@given(
    st.one_of(st.integers(0, 10**18).map(str), st.uuids().map(str), st.binary(min_size=8, max_size=32).map(bytes.hex))
)
def test_ids_of_every_kind_have_one_template(one: str) -> None:
    if one.isalpha() and len(one) < 16:
        return  # eight digits of hex that spell a word
    assert template(f"/users/{one}") == template(f"/users/{uuid.UUID(int=7)}") == "/users/{id}"
