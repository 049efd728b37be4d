"""What all services share: the way of a request through an instance's seats and heap, and from service to service."""

import asyncio
from math import exp
from random import Random

from foregate.lab.model.call import Answer, Call, Closed, DependencyFailed, Failure, OutOfMemory, Refused
from foregate.lab.model.database import Database
from foregate.lab.model.heap import Heap
from foregate.lab.model.instance import Instance
from foregate.lab.model.knob import Amount, Factor
from foregate.lab.model.profile import Profile
from foregate.lab.model.provider import Provider

CONTENTION = 0.5  # own work takes up to this share longer when every seat is taken
QUOTA_HOURS_OF_TRAFFIC = 3.2  # a provider's hourly quota, in hours of ordinary traffic
PACE_OF_HOLD = 1.8  # a provider delays by so many ordinary durations at most


class Service:
    """A service with its instances and what it depends on. Subclasses say what the work is in `work`."""

    def __init__(self, profile: Profile, rate: float, rng: Random) -> None:
        self.profile = profile
        self.name = profile.name
        self.rng = rng
        self.slow = Factor()  # a bad deploy's handle on own work
        self.error_share = Amount()  # share of answers that are 500
        self.error_share.set("noise", profile.noise)
        self.instances = [self._instance(number, rate) for number in range(profile.instances)]
        self.database = Database(
            profile.database,
            connections=profile.connections(rate),
            wait_s=profile.wait_s,
            query_s=profile.query_s,
            sigma=profile.sigma,
            rng=rng,
        )
        self.provider = Provider(
            profile.provider,
            quota=max(1.0, QUOTA_HOURS_OF_TRAFFIC * 3600.0 * profile.rps(rate)),
            pace_s=PACE_OF_HOLD * profile.hold_s,
        )
        self.turn = 0  # round robin

    def _instance(self, number: int, rate: float) -> Instance:
        profile = self.profile
        return Instance(
            f"{profile.name}-{number}",
            seats=profile.seats(rate),
            wait_s=profile.wait_s,
            heap=Heap(profile.heap_limit_mb, profile.heap_base_mb, profile.request_mb, profile.pause_s_per_mb),
            cache_entries=profile.cache_entries,
            restart_s=profile.restart_s,
        )

    async def handle(self, call: Call, instance: Instance) -> Answer:
        """Carry one request through `instance`. Raises Refused when nobody can connect, Closed when it dies."""
        if not instance.reachable:
            raise Refused(instance.name)
        born = instance.generation
        workers = instance.workers
        try:
            if not workers.try_take():
                await workers.take()
            try:
                answer = await self._seated(call, instance)
            finally:
                workers.give_back()
        except Failure as failure:
            answer = Answer(failure.status, f'{{"error":"{failure}"}}'.encode())
        if instance.generation != born:
            raise Closed(instance.name)
        return answer

    async def _seated(self, call: Call, instance: Instance) -> Answer:
        loop = asyncio.get_running_loop()
        heap = instance.heap
        try:
            heap.allocate(loop.time(), instance.leak_mb.value)
        except OutOfMemory:
            await _until(loop, heap.paused_until_s)
            raise
        await _until(loop, heap.paused_until_s)
        if self.rng.random() < self.error_share.value:
            await asyncio.sleep(self.spread(self.profile.work_s, instance))
            return Answer(500, b'{"error":"unexpected"}')
        answer = await self.work(call, instance)
        await _until(loop, heap.paused_until_s)
        return answer

    async def work(self, call: Call, instance: Instance) -> Answer:
        """Do what was asked; `call` has a seat. Raises Failure."""
        raise NotImplementedError

    def spread(self, median_s: float, instance: Instance) -> float:
        """A draw of the time that own work of `median_s` takes now: log-normal, longer when crowded."""
        chance = exp(self.profile.sigma * self.rng.gauss(0.0, 1.0))
        return median_s * chance * self.slow.value * (1.0 + CONTENTION * instance.workers.busy)

    def next_instance(self) -> Instance:
        """Round robin over the instances that are up (the first one when none is)."""
        for _ in self.instances:
            self.turn = (self.turn + 1) % len(self.instances)
            if self.instances[self.turn].reachable:
                break
        return self.instances[self.turn]

    async def ask(self, call: Call, timeout_s: float) -> Answer:
        """Be called by another service of this world. Raises DependencyFailed."""
        try:
            async with asyncio.timeout(timeout_s):
                answer = await self.handle(call, self.next_instance())
        except (Refused, Closed, TimeoutError) as error:
            raise DependencyFailed(f"{self.name}: {type(error).__name__}") from error
        if answer.status >= 500:
            raise DependencyFailed(f"{self.name} answered {answer.status}")
        return answer


async def _until(loop: asyncio.AbstractEventLoop, moment_s: float) -> None:
    """Stand still while the world is stopped."""
    wait_s = moment_s - loop.time()
    if wait_s > 0.0:
        await asyncio.sleep(wait_s)
