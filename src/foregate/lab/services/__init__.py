"""The five services of the demo world, one per file; `build` makes them all."""

from random import Random

from foregate.lab.model.profile import Profile
from foregate.lab.model.service import Service
from foregate.lab.services.ai import Ai
from foregate.lab.services.orders import Orders
from foregate.lab.services.payments import Payments
from foregate.lab.services.search import Search
from foregate.lab.services.users import Users


def build(profiles: tuple[Profile, ...], rate: float, seed: int) -> dict[str, Service]:
    """The services by name, sized for `rate` requests/s in all; each has its own chance, so none disturbs another."""
    by_name = {profile.name: profile for profile in profiles}

    def rng(name: str) -> Random:
        return Random(f"{seed}/{name}")  # noqa: S311 - a simulation wants repeatable chance

    users = Users(by_name["users"], rate, rng("users"))
    payments = Payments(by_name["payments"], rate, rng("payments"))
    orders = Orders(by_name["orders"], rate, rng("orders"), users=users, payments=payments)
    search = Search(by_name["search"], rate, rng("search"))
    ai = Ai(by_name["ai"], rate, rng("ai"))
    return {service.name: service for service in (payments, search, users, orders, ai)}
