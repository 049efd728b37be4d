"""Settings as the client library wants them, and its errors as ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from confluent_kafka import KafkaException

from foregate.wire.bus import Kafka


def client_settings(kafka: Kafka) -> dict[str, Any]:
    """What every client of the library needs to connect and to sign in."""
    found: dict[str, Any] = {
        "bootstrap.servers": ",".join(kafka.brokers),
        "client.id": "foregate",
        "log_level": 3,  # errors; what fails is said by whoever needed it
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
    return OSError(f"Kafka at {', '.join(kafka.brokers)}: {reason}")
