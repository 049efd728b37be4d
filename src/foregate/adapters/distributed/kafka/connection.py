"""Settings as the client library wants them, and its errors as ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from confluent_kafka import KafkaException

from foregate.wire.bus import Kafka

_last_said: dict[tuple[str, ...], str] = {}  # by brokers, of which a process knows one set


def client_settings(kafka: Kafka) -> dict[str, Any]:
    """What every client of the library needs to connect and to sign in."""
    found: dict[str, Any] = {
        "bootstrap.servers": ",".join(kafka.brokers),
        "client.id": "foregate",
        "log_level": 2,  # it would say twenty times a second that a broker is gone: who needed it says it, once
        "error_cb": lambda error: _last_said.update({kafka.brokers: error.str()}),
        "security.protocol": ("SASL_" if kafka.user else "") + ("SSL" if kafka.tls else "PLAINTEXT"),
    }
    if kafka.user:
        found |= {
            "sasl.mechanism": kafka.mechanism, "sasl.username": kafka.user, "sasl.password": str(kafka.password),
        }  # fmt: skip
    files = {
        "ssl.ca.location": kafka.ca_file,
        "ssl.certificate.location": kafka.certificate_file,
        "ssl.key.location": kafka.key_file,
    }
    return found | {name: file for name, file in files.items() if file is not None}


@contextmanager
def failures_of(kafka: Kafka) -> Iterator[None]:
    """Turn the library's errors into OSErrors that name the brokers."""
    try:
        yield
    except KafkaException as error:
        raise unreachable(kafka, error) from error


def unreachable(kafka: Kafka, reason: object) -> OSError:
    """What failed, and what the library has last said of the connection: it knows a wrong password from a dead wire."""
    said = _last_said.get(kafka.brokers)
    return OSError(f"Kafka at {', '.join(kafka.brokers)}: {reason}" + (f" (last error: {said})" if said else ""))
