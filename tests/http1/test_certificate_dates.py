"""Until when a certificate is valid, beside what openssl says of it."""

import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.http1.certificates import make

from foregate.http1.certificate_dates import validities, validity


def test_the_end_is_the_one_that_openssl_reads(tmp_path: Path) -> None:
    first, second = make(tmp_path, "a", "a.example"), make(tmp_path, "b", "b.example", subject="/O=x/CN=b")
    said = subprocess.run(
        ["openssl", "x509", "-in", first.certificate, "-noout", "-enddate"], check=True, capture_output=True, text=True
    ).stdout
    end = datetime.strptime(said.strip(), "notAfter=%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC).timestamp()
    text = Path(first.key).read_text() + Path(first.certificate).read_text() + Path(second.certificate).read_text()
    found = validities(text)
    assert found[0] == (end, True)
    assert len(found) == 2


def test_what_is_no_certificate_is_refused_with_a_value_error(tmp_path: Path) -> None:
    assert validities("nothing of that kind") == []
    with pytest.raises(ValueError, match="PEM"):
        validities("-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----")


@given(st.binary(max_size=200))
def test_no_bytes_whatever_raise_anything_else(data: bytes) -> None:
    with suppress(ValueError):
        validity(data)
