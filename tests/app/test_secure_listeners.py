"""Listeners that ask who is there: what does not fit together is refused, and files are found, kept and watched."""

from pathlib import Path

import pytest
from tests.http1.certificates import make

from foregate.app.config import ConfigRefused, load
from foregate.app.config.compile import compile_snapshot, named_files
from foregate.app.config.verify import verified
from foregate.app.kept_files import forget_others, with_kept_files
from foregate.app.paths import DataDir

PEPPER = b"0" * 32
REST = """
services: {svc: {targets: ["http://127.0.0.1:1"], protocol: h2, streams_max: 7}}
routes: [{path: /, service: svc, auth: [AUTH]}]
"""


def write(folder: Path, listener: str, rest: str = "", auth: str = "api_key") -> Path:
    file = folder / "foregate.yaml"
    lines = f"listen: {{gateway: [{{address: '127.0.0.1:8443', {listener}}}]}}\n"
    file.write_text(lines + rest + REST.replace("AUTH", auth))
    return file


@pytest.mark.parametrize(
    ("listener", "auth", "said"),
    [
        ("proxy_protocol: true", "api_key", "trusted_proxies"),
        ("client_ca_file: ca.pem", "api_key", "without tls"),
        ("http2: true", "mtls", "no listener asks clients for certificates"),
    ],
)
def test_what_could_never_work_is_refused(tmp_path: Path, listener: str, auth: str, said: str) -> None:
    with pytest.raises(ConfigRefused, match=said):
        load(write(tmp_path, listener, auth=auth), {})


def test_settings_of_a_listener_and_of_a_service_reach_the_worker(tmp_path: Path) -> None:
    file = write(tmp_path, "proxy_protocol: true", "trusted_proxies: [10.0.0.0/8]\n")
    snapshot = compile_snapshot(load(file, {}).config, PEPPER, tmp_path)
    assert snapshot.listeners[0].proxy_protocol
    assert (snapshot.services[0].protocol, snapshot.services[0].streams_max) == ("h2", 7)


def test_authorities_of_clients_are_checked_kept_and_watched(tmp_path: Path) -> None:
    pair, ca = make(tmp_path, "gate", "gate.example"), make(tmp_path, "ca", "ca.example")
    listener = (
        f"tls: [{{certificate: {pair.certificate}, key: {pair.key}}}], client_ca_file: ca.crt, client_auth: request"
    )
    loaded = load(write(tmp_path, listener, auth="mtls"), {})
    assert (("listen", "gateway", 0, "client_ca_file"), "ca.crt") in list(named_files(loaded.config))
    data = DataDir(tmp_path / "data")
    data.create()
    snapshot = with_kept_files(data, verified(loaded, PEPPER))
    kept = snapshot.listeners[0].client_ca_file
    assert snapshot.listeners[0].client_auth == "request"
    assert Path(kept).parent == data.certificates.absolute()
    forget_others(data, snapshot)
    assert Path(kept).exists()
    Path(ca.certificate).write_text("broken")
    with pytest.raises(ConfigRefused, match=r"ca\.crt"):
        verified(loaded, PEPPER)
