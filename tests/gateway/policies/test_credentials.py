"""What is not sent on of Authorization."""

import pytest
from tests.gateway.policies.asking import ask

from foregate.gateway.policies.credentials import drop_authorization


@pytest.mark.parametrize("value", [b"Basic YTpi", b"bAsIc  YTpi", b"Basic\tYTpi", b"Basic \t YTpi", b"Basic"])
def test_whatever_stands_between_scheme_and_credentials_the_line_is_dropped(value: bytes) -> None:
    request = ask(headers=[(b"authorization", value), (b"a", b"b")])
    drop_authorization(request, b"basic")
    assert list(request.kept) == [b"a: b"]


@pytest.mark.parametrize("value", [b"Bearer\tfg_1", b"BEARER fg_1"])
def test_only_credentials_that_begin_so_are_dropped(value: bytes) -> None:
    request = ask(headers=[(b"authorization", value), (b"authorization", b"Bearer other")])
    drop_authorization(request, b"bearer", b"fg_")
    assert list(request.kept) == [b"authorization: Bearer other"]
