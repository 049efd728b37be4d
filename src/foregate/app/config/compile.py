"""From a valid configuration to the snapshot a gateway worker runs on."""

import hashlib
from collections.abc import Iterator
from pathlib import Path as File

import msgspec

from foregate.app.config.addresses import parse_listener, parse_target
from foregate.app.config.schema import Config, Key, ListenOn, Route, Service, Target
from foregate.kernel.secrets import hash_key
from foregate.wire import snapshot as wire
from foregate.wire.ingest import Ingest, IngestKey
from foregate.wire.objective import ObjectiveSet

VERSION_DIGITS = 12  # hexadecimal; as a number it fits a float64 exactly


def compile_snapshot(config: Config, pepper: bytes, folder: File) -> wire.Snapshot:
    """Everything a worker needs, secrets as hashes under `pepper`, the version a digest of the content.

    Files that it names are made absolute, from `folder`.
    """
    unversioned = wire.Snapshot(
        version="",
        listeners=tuple(_listener(listener, folder) for listener in config.listen.gateways),
        services=tuple(_service(name, service, folder) for name, service in config.services.items()),
        routes=tuple(_routes(config)),
        plans=tuple(wire.Plan(name, plan.policies) for name, plan in config.plans.items()),
        keys=tuple(_key(key, config, pepper) for key in config.keys),
        policies=config.policies,
        trusted_proxies=config.trusted_proxies,
        metrics_to=config.metrics_to,
        clients=config.clients,
        limits_url=config.limits.store or "",
        limits_fail_open=config.limits.on_failure == "open",
        org=config.org,
        environment=config.environment,
        drain_s=config.drain_s,
        cache=config.cache,
        abuse=config.abuse,
        region=config.region or "",
        cloud=config.cloud or "",
    )
    digest = hashlib.sha256(wire.encode_snapshot(unversioned)).hexdigest()[:VERSION_DIGITS]
    return msgspec.structs.replace(unversioned, version=digest)


def compile_ingest(config: Config, pepper: bytes) -> Ingest:
    """What the ingest processes run on, secrets as hashes under `pepper`."""
    given = config.telemetry
    return Ingest(
        listen=config.listen.ingest,
        keys=tuple(
            IngestKey(
                id=key.name,
                hash=key.hash or hash_key(key.secret or "", pepper),
                org=key.org or config.org,
                environment=key.environment or config.environment,
                region=key.region,
                cloud=key.cloud,
                items_per_s=key.items_per_s,
            )
            for key in given.ingest_keys
        ),
        batch_items=given.batch_size,
        flush_interval_s=given.flush_interval_s,
        buffer_items_max=given.buffer_items_max,
        body_bytes_max=given.body_bytes_max,
        workers=given.ingest_workers,
    )


def compile_objectives(config: Config) -> ObjectiveSet:
    """What the analyzer watches, by the routes' names."""
    routes = {name: route.objective for name, route in named_routes(config) if route.objective is not None}
    return ObjectiveSet(config.predict.objective, routes)


def named_files(config: Config) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The files that a configuration names, each with its place in it: they are watched as it is."""
    for index, listener in enumerate(config.listen.gateways):
        for number, certificate in enumerate(listener.tls):
            for name in ("certificate", "key"):
                yield ("listen", "gateway", index, "tls", number, name), getattr(certificate, name)
        if listener.client_ca_file is not None:
            yield ("listen", "gateway", index, "client_ca_file"), listener.client_ca_file
    for service, settings in config.services.items():
        for name in ("ca_file", "certificate", "key"):
            if (file := getattr(settings.tls, name)) is not None:
                yield ("services", service, "tls", name), file


def _listener(listener: ListenOn, folder: File) -> wire.Listener:
    address = parse_listener(listener.address)
    certificates = tuple(
        wire.Certificate(str(folder / each.certificate), str(folder / each.key)) for each in listener.tls
    )
    return wire.Listener(
        address.host,
        address.port,
        address.socket,
        certificates,
        listener.http2,
        listener.proxy_protocol,
        str(folder / listener.client_ca_file) if listener.client_ca_file is not None else "",
        listener.client_auth,
    )


def _service(name: str, service: Service, folder: File) -> wire.Service:
    files = {
        field: str(folder / file)
        for field in ("ca_file", "certificate", "key")
        if (file := getattr(service.tls, field)) is not None
    }
    return wire.Service(
        name=name,
        targets=tuple(_target(target) for target in service.targets),
        connect_timeout_s=service.connect_timeout_s,
        balance=service.balance,
        health=service.health,
        tls=msgspec.structs.replace(service.tls, **files),
        policies=service.policies,
        connections_max=service.connections_max,
        protocol=service.protocol,
        streams_max=service.streams_max,
        ai=service.ai,
    )


def _target(given: str | Target) -> wire.Target:
    target = Target(url=given) if isinstance(given, str) else given
    host, port, prefix, tls, socket = parse_target(target.url)
    return wire.Target(target.url, host, port, prefix, tls, socket, target.weight, target.zone)


def _key(key: Key, config: Config, pepper: bytes) -> wire.Key:
    stored = key.hash or hash_key(key.secret or "", pepper)
    return wire.Key(key.name, key.name, stored, key.org or config.org, key.plan or "", key.policies)


def named_routes(config: Config) -> Iterator[tuple[str, Route]]:
    """Every route with its name: events, windows and verdicts know it by that."""
    taken = {route.name for route in config.routes if route.name is not None}
    for route in config.routes:
        name = route.name if route.name is not None else _free_name(route, taken)
        taken.add(name)
        yield name, route


def _routes(config: Config) -> Iterator[wire.Route]:
    for name, route in named_routes(config):
        yield wire.Route(
            name=name,
            rule=route.rule,
            services=tuple(wire.Weighted(share.service, share.weight) for share in route.shares),
            sticky=route.sticky,
            strip=route.strip,
            rewrite=route.rewrite,
            host=route.host,
            redirect=route.redirect,
            answer=route.answer,
            auth=route.auth,
            policies=route.policies,
            ai=route.ai,
            canary=route.canary,
        )


def _free_name(route: Route, taken: set[str]) -> str:
    """The route's path; where that is taken, with its methods and its first host; then with a number."""
    said = f"{','.join(route.methods)}:{route.hosts[0] if route.hosts else ''}{route.path}".removeprefix(":")
    names = [route.path, said]
    number = 2
    while (name := names.pop(0) if names else f"{said}#{number}") in taken:
        number += not names
    return name
