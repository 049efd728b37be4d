"""The thing that is watched, judged and predicted."""

import msgspec


class Entity(msgspec.Struct, array_like=True, frozen=True, order=True):
    """One route of one service of one organisation in one environment. Hashable: it is the key of every window."""

    org: str
    service: str
    route: str  # the route's template, e.g. "/pay" or "/users/{id}": never a raw path
    environment: str

    @property
    def label(self) -> str:
        """How people read it: "payments /pay" (the environment is shown elsewhere)."""
        return f"{self.service} {self.route}"
