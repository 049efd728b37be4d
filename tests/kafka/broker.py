"""One Kafka broker in KRaft mode, on free ports of the loopback address and in a folder of its own."""

import shutil
import socket
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STARTED_WITHIN_S = 60.0
POM = Path(__file__).with_name("pom.xml")


def missing() -> str:
    """What this machine lacks to run one; "" when nothing."""
    return ", ".join(name for name in ("mvn", "java") if shutil.which(name) is None)


def fetch(libraries: Path) -> None:
    """The broker and what it needs, by Maven. Raises subprocess.CalledProcessError."""
    if any(libraries.glob("kafka_2.13-*.jar")):
        return
    command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={libraries}"]
    subprocess.run(command, check=True)


@contextmanager
def running(libraries: Path, folder: Path) -> Iterator[str]:
    """Start it, give its host:port, and stop it at the end."""
    port, controller = _free_port(), _free_port()
    settings = folder / "server.properties"
    settings.write_text(
        f"""
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
log.dirs={folder / "data"}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
"""
    )
    java = ["java", "-Xmx512m", "-cp", f"{libraries}/*"]
    cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    with (folder / "broker.log").open("w") as log:
        formatting = [*java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(settings)]
        subprocess.run(formatting, check=True, stdout=log, stderr=log)
        process = subprocess.Popen([*java, "kafka.Kafka", str(settings)], stdout=log, stderr=log)
        try:
            _wait(port, process, folder / "broker.log")
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + STARTED_WITHIN_S
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise RuntimeError(f"the broker did not start:\n{log.read_text()[-3_000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
