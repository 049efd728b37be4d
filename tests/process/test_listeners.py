"""Several addresses at once: TCP, a Unix socket and TLS, whose certificate is replaced while foregate runs."""

import shutil
import socket
import ssl
import time
from pathlib import Path

from tests.http1.certificates import make
from tests.process.harness import started, upstream
from tests.process.test_reload import config, wait_for

from foregate.app.listeners import free_ports

ASK = b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def status_line(sock: socket.socket) -> bytes:
    with sock:
        sock.sendall(ASK)
        return sock.makefile("rb").readline()


def presented(port: int, name: str) -> bytes:
    """The certificate that is shown for a server name, as DER."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    raw = socket.create_connection(("127.0.0.1", port), timeout=10)
    with context.wrap_socket(raw, server_hostname=name) as sock:
        return sock.getpeercert(binary_form=True) or b""


def test_all_addresses_answer_and_a_new_certificate_is_shown_without_a_restart(tmp_path: Path) -> None:
    first, second = make(tmp_path, "one", "one.example"), make(tmp_path, "two", "two.example")
    renewed = make(tmp_path, "new", "one.example")
    plain, secure, console = free_ports(3)
    unix = tmp_path / "gateway.sock"
    with upstream() as url:
        (tmp_path / "foregate.yaml").write_text(
            f"""\
listen:
  console: 127.0.0.1:{console}
  gateway:
    - address: 127.0.0.1:{plain}
    - address: unix:{unix}
    - address: 127.0.0.1:{secure}
      tls: [{{certificate: one.crt, key: one.key}}, {{certificate: two.crt, key: two.key}}]
services: {{a: {{targets: ['{url}']}}}}
routes: [{{path: /a, service: a, auth: none}}]
"""
        )
        command = ("up", "-c", str(tmp_path / "foregate.yaml"), "--workers", "2")
        with started(tmp_path, command, plain, console) as running:
            assert b" 200 " in status_line(socket.create_connection(("127.0.0.1", plain), timeout=10))
            local = socket.socket(socket.AF_UNIX)
            local.connect(str(unix))
            assert b" 200 " in status_line(local)
            killed = running.kill("gateway-0")
            time.sleep(0.1)
            for _ in range(10):  # while the first worker is away, and when it is back: the socket is everybody's
                local = socket.socket(socket.AF_UNIX)
                local.settimeout(10)
                local.connect(str(unix))
                assert b" 200 " in status_line(local)
            running.wait_until_back("gateway-0", killed)  # each has sockets of its own for TCP
            wait_for(lambda: config(running)["settled"])
            one, two = presented(secure, "one.example"), presented(secure, "two.example")
            assert one == ssl.PEM_cert_to_DER_cert(Path(first.certificate).read_text())
            assert two == ssl.PEM_cert_to_DER_cert(Path(second.certificate).read_text())

            # The pair is replaced one file after the other: for a moment they do not fit, and the old one is shown on.
            shutil.copy(renewed.certificate, first.certificate)
            wait_for(lambda: config(running)["last_attempt"]["outcome"] == "refused")
            assert presented(secure, "one.example") == one

            # Even a worker that is started now: it has what was verified last.
            killed = running.kill("gateway-1")
            running.wait_until_back("gateway-1", killed)
            wait_for(lambda: config(running)["settled"])
            assert {presented(secure, "one.example") for _ in range(8)} == {one}
            assert '"exit": 3' not in running.log.read_text()
            shutil.copy(renewed.key, first.key)
            wait_for(lambda: all(presented(secure, "one.example") != one for _ in range(6)))
            assert config(running)["last_attempt"]["outcome"] == "unchanged"
            assert presented(secure, "two.example") == two
