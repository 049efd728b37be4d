"""Settings of a bus that several machines share."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from foregate.wire.settings import Secret, Settings

_Broker = Annotated[str, Meta(pattern=r"^[^\s/,@]+:[0-9]{1,5}$")]
_Topic = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,128}$")]
_File = Annotated[str, Meta(min_length=1, max_length=4_096)]
KAFKA_PARTITIONS_MAX = 256


class Kafka(Settings, frozen=True):
    """The bus in Kafka instead of `bus.sqlite`; topics that are missing are made.

    `user` and `password` sign in by `mechanism` (SASL). What is kept there, and for how long, is then Kafka's to say:
    `telemetry.bus_bytes_max` means `bus.sqlite` alone.
    """

    brokers: Annotated[
        tuple[_Broker, ...], Meta(max_length=64, description="host:port of some brokers. None: bus.sqlite.")
    ] = ()
    group: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9._-]{0,128}$",
            description="Machines of one group share the partitions, each read by one of them: for machines that share "
            "their stores, too. Without it each reads all.",
        ),
    ] = ""
    topic_raw: Annotated[_Topic, Meta(description="Of the events of requests. KAFKA_TOPIC_RAW overrides it.")] = (
        "telemetry.raw"
    )
    topic_prefix: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{0,64}$", description="Of all other topics.")] = (
        "telemetry."
    )
    partitions: Annotated[
        int, Meta(ge=1, le=KAFKA_PARTITIONS_MAX, description="Of a topic that is made; all have as many as topic_raw.")
    ] = 8
    replicas: Annotated[int, Meta(ge=1, le=7, description="Of a topic that is made.")] = 1
    retention_hours: Annotated[int, Meta(ge=1, le=8_760, description="Of a topic that is made.")] = 24
    session_s: Annotated[
        float, Meta(ge=1, le=300, description="A machine of the group not heard for so long loses its partitions.")
    ] = 10.0
    timeout_s: Annotated[
        float,
        Meta(ge=1, le=120, description="For an answer of the brokers; an append not confirmed by then is made again."),
    ] = 10.0
    tls: bool = False
    ca_file: _File | None = None
    certificate_file: _File | None = None
    key_file: _File | None = None
    user: Annotated[str, Meta(max_length=256)] = ""
    password: Secret | None = None
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"

    def problem(self) -> str | None:
        if bool(self.user) != (self.password is not None):
            return "user and password belong together: give both or none"
        if (self.certificate_file is None) != (self.key_file is None):
            return "certificate_file and key_file belong together: give both or none"
        if not self.tls and (self.ca_file or self.certificate_file):
            return "ca_file and certificate_file are for TLS: set tls: true"
        return None


class BusSettings(Settings, frozen=True):
    """Where the bus is kept."""

    kafka: Kafka = msgspec.field(default_factory=Kafka)
