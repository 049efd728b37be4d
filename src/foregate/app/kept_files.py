"""The TLS files that were last found good, kept in the data directory: workers read these and no others.

A worker that is started while a certificate is being renewed, or after its file was damaged, serves with what was
verified last; and all workers with the same. The supervisor refreshes the copies with every configuration that it
accepts. They are as private as the keys that they hold (mode 0600 in a directory of mode 0700).
"""

import hashlib
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from foregate.app.config.problems import ConfigRefused, Problem
from foregate.app.paths import DataDir, write_private
from foregate.http1.tls import BadCertificate, Certificate, ServerCertificates, client_context
from foregate.wire import snapshot as wire

FILE_BYTES_MAX = 16_777_216  # of one PEM file; a larger one is refused (a system's whole CA bundle has 0.3 MB)
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)


def with_kept_files(data: DataDir, snapshot: wire.Snapshot) -> wire.Snapshot:
    """The snapshot, naming copies of its TLS files. Its version stays. Raises ConfigRefused or OSError."""
    keeper = _Keeper(data.certificates)
    listeners = tuple(
        msgspec.structs.replace(
            each,
            certificates=tuple(map(keeper.pair, each.certificates)),
            client_ca_file=keeper.authorities(each.client_ca_file) if each.client_ca_file else "",
        )
        for each in snapshot.listeners
    )
    services = tuple(msgspec.structs.replace(each, tls=_upstream(keeper, each.tls)) for each in snapshot.services)
    return msgspec.structs.replace(snapshot, listeners=listeners, services=services)


def forget_others(data: DataDir, snapshot: wire.Snapshot) -> None:
    """Delete the copies that the snapshot does not name: nobody needs their keys any more.

    What cannot be deleted is left for the next time: the snapshot is in force already.
    """
    named = {each.key for listener in snapshot.listeners for each in listener.certificates}
    named |= {listener.client_ca_file for listener in snapshot.listeners}
    named |= {file for each in snapshot.services for file in (each.tls.ca_file, each.tls.key) if file is not None}
    with suppress(OSError):
        for file in data.certificates.absolute().iterdir():
            if str(file) not in named:
                with suppress(OSError):
                    file.unlink()


def _upstream(keeper: "_Keeper", tls: wire.UpstreamTls) -> wire.UpstreamTls:
    if tls.ca_file is not None:
        tls = msgspec.structs.replace(tls, ca_file=keeper.authorities(tls.ca_file))
    if tls.certificate is not None and tls.key is not None:
        pair = keeper.pair(wire.Certificate(tls.certificate, tls.key), _shown_to_upstreams)
        tls = msgspec.structs.replace(tls, certificate=pair.certificate, key=pair.key)
    return tls


def _shown_to_clients(file: str) -> None:
    ServerCertificates([Certificate(file, file)])


def _shown_to_upstreams(file: str) -> None:
    client_context(certificate=Certificate(file, file))


class _Keeper:
    """Copies files into `folder` under names that stay the same as long as theirs do."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    def pair(self, of: wire.Certificate, check: Callable[[str], None] = _shown_to_clients) -> wire.Certificate:
        """Key and chain in one file, so that no reader has one without the other. `check` raises BadCertificate."""
        key = [each for each in _blocks(of.key) if "PRIVATE KEY" in each[0] or "PARAMETERS" in each[0]]
        chain = [each for each in _blocks(of.certificate) if "CERTIFICATE" in each[0]]
        text = "".join(f"{body}\n" for _, body in key + chain)
        file = self._keep(f"{of.certificate}\0{of.key}", of.certificate, text, check)
        return wire.Certificate(file, file)

    def authorities(self, ca_file: str) -> str:
        """Whom to trust."""

        def check(file: str) -> None:
            client_context(ca_file=file)

        return self._keep(ca_file, ca_file, "".join(f"{body}\n" for _, body in _blocks(ca_file)), check)

    def _keep(self, identity: str, source: str, text: str, check: Callable[[str], None]) -> str:
        """The copy's path. One that is as it should be is not written again: contexts go by the file's time."""
        file = self._folder / f"{hashlib.blake2b(identity.encode(), digest_size=16).hexdigest()}.pem"
        if file.is_file() and file.read_bytes() == text.encode():
            return str(file)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        fresh = file.with_suffix(".new")
        write_private(fresh, text, durable=False)
        try:
            check(str(fresh))  # it may have changed since it was verified
        except BadCertificate as error:
            fresh.unlink(missing_ok=True)
            raise ConfigRefused([Problem(source, "", str(error).replace(str(fresh), source))]) from error
        fresh.replace(file)
        return str(file)


def _blocks(path: str) -> list[tuple[str, str]]:
    """(label, PEM block) of each block in a file."""
    return [(match[1], match[0]) for match in _BLOCK.finditer(_read(path))]


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="ignore") as file:
            text = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigRefused([Problem(path, "", f"cannot be read: {error.strerror}")]) from error
    if len(text) > FILE_BYTES_MAX:
        raise ConfigRefused([Problem(path, "", f"is larger than {FILE_BYTES_MAX} bytes")])
    return text
