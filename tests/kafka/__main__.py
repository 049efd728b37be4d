"""Run the suite of the bus against a real Kafka broker. Exit status 0 as well where there can be none: it says so."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.kafka.broker import fetch, missing, running

SUITES = ("tests/ports/test_bus.py", "tests/adapters/kafka")
LIBRARIES = Path("bench/out/kafka/libs")


def main(arguments: list[str]) -> int:
    if lacking := missing():
        print(f"SKIPPED: a real Kafka broker needs {lacking}, which this machine has not. Nothing was proven of it.")
        return 0
    fetch(LIBRARIES)
    with tempfile.TemporaryDirectory(prefix="foregate-kafka-") as folder:
        began = time.monotonic()
        with running(LIBRARIES.absolute(), Path(folder)) as brokers:
            (version,) = {jar.stem.removeprefix("kafka_2.13-") for jar in LIBRARIES.glob("kafka_2.13-*.jar")}
            print(f"Kafka {version} answers at {brokers} after {time.monotonic() - began:.1f} s", flush=True)
            command = [sys.executable, "-m", "pytest", "-q", "-k", "not embedded", *SUITES, *arguments]
            return subprocess.run(command, env=os.environ | {"KAFKA_BROKERS": brokers}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
