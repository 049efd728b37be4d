"""Certificates made by the openssl command, for tests alone."""

import shutil
import subprocess
from pathlib import Path

import pytest

from foregate.http1.tls import Certificate


def make(
    folder: Path, label: str, *names: str, key_of: Certificate | None = None, subject: str = "", days: int = 2
) -> Certificate:
    """A self-signed pair that is its own authority; with `key_of` for that one's key.

    `names`: host names, or `URI:…`, `email:…`. `subject`: as openssl takes it, instead of `/CN=label`.
    """
    if shutil.which("openssl") is None:
        pytest.skip("TLS IS NOT TESTED: there is no openssl command on this machine")
    certificate, key = folder / f"{label}.crt", folder / f"{label}.key"
    new_key = ["-key", key_of.key] if key_of else ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    subjects = ["-addext", "subjectAltName=" + ",".join(_alternative(name) for name in names)] if names else []
    command = [
        "openssl",
        "req",
        "-x509",
        *new_key,
        "-nodes",
        "-days",
        str(days),
        "-subj",
        subject or f"/CN={label}",
        *subjects,
    ]
    command += ["-out", str(certificate)] + ([] if key_of else ["-keyout", str(key)])
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return Certificate(str(certificate), key_of.key if key_of else str(key))


def _alternative(name: str) -> str:
    return name if ":" in name else f"DNS:{name}"
