"""The inside of every service, as plain data: what a person would need a debugger for."""

from typing import Any

from foregate.lab.heart import Heart
from foregate.lab.model.instance import Instance
from foregate.lab.model.service import Service


def state_of(heart: Heart) -> dict[str, Any]:
    """Seats, heaps, pools and quotas now; sizes in MB."""
    return {
        "running_s": heart.now_s,
        "rate": heart.arrivals.rate,
        "sent": heart.arrivals.sent,
        "repeats": heart.crowd.repeats,
        "services": {name: _service(service) for name, service in heart.world.services.items()},
    }


def _service(service: Service) -> dict[str, Any]:
    pool = service.database.pool
    state: dict[str, Any] = {
        "instances": [_instance(instance) for instance in service.instances],
        "database": {
            "name": service.database.name,
            "connections": pool.size,
            "taken": pool.taken,
            "leaked": pool.leaked,
            "waiting": pool.waiting,
            "slowdown": service.database.slow.value,
        },
    }
    if service.provider.name:
        state["provider"] = {"name": service.provider.name, "quota_left": service.provider.left}
    return state


def _instance(instance: Instance) -> dict[str, Any]:
    return {
        "name": instance.name,
        "up": instance.reachable,
        "crashes": instance.crashes,
        "seats": instance.workers.size,
        "seats_taken": instance.workers.taken,
        "waiting": instance.workers.waiting,
        "heap_mb": instance.heap.live_mb,
        "heap_limit_mb": instance.heap.limit_mb,
        "collections": instance.heap.collections,
        "cached": len(instance.cache),
    }
