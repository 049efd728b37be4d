"""From a valid configuration to the snapshot a gateway worker runs on."""

import hashlib
from urllib.parse import urlsplit

import msgspec

from foregate.app.config.schema import Config, RateLimit, Service, parse_address
from foregate.kernel.secrets import hash_key
from foregate.wire import snapshot as wire


def compile_snapshot(config: Config, pepper: bytes) -> wire.Snapshot:
    """Everything a worker needs, secrets as hashes under `pepper`, the version a digest of the content."""
    host, port = parse_address(config.listen.gateway)
    unversioned = wire.Snapshot(
        version="",
        gateway_host=host,
        gateway_port=port,
        services=tuple(_service(name, service) for name, service in config.services.items()),
        routes=tuple(
            wire.Route(
                path=route.path,
                service=route.service,
                strip=route.strip,
                needs_key=route.auth == "api_key",
                rate_limit=_rate_limit(route.rate_limit),
            )
            for route in config.routes
        ),
        keys=tuple(
            wire.Key(id=key.name, name=key.name, hash=key.hash or hash_key(key.secret or "", pepper))
            for key in config.keys
        ),
        org=config.org,
        environment=config.environment,
        drain_s=config.drain_s,
    )
    digest = hashlib.sha256(wire.encode_snapshot(unversioned)).hexdigest()[:12]
    return msgspec.structs.replace(unversioned, version=digest)


def _service(name: str, service: Service) -> wire.Service:
    return wire.Service(
        name=name,
        targets=tuple(_target(url) for url in service.targets),
        timeout_s=service.timeout_s,
        connect_timeout_s=service.connect_timeout_s,
        breaker=wire.Breaker(failures=service.circuit_breaker.failures, open_s=service.circuit_breaker.open_s),
        retry=wire.Retry(
            attempts=service.retry.attempts,
            base_s=service.retry.base_s,
            max_s=service.retry.max_s,
            jitter=service.retry.jitter,
        ),
        body_bytes_max=service.body_bytes_max,
    )


def _target(text: str) -> wire.Target:
    url = urlsplit(text)
    return wire.Target(url=text, host=url.hostname or "", port=url.port or 80, prefix=url.path.rstrip("/"))


def _rate_limit(limit: RateLimit | None) -> wire.RateLimit | None:
    if limit is None:
        return None
    return wire.RateLimit(rate=limit.rate, burst=limit.burst if limit.burst is not None else max(1.0, limit.rate))
