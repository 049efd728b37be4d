"""How one service asks another: directly in virtual time, over HTTP when the lab is live."""

from typing import Protocol

from foregate.lab.model.call import Answer, Call


class Peer(Protocol):
    """Another service of this world. Raises DependencyFailed where it does not answer as it should."""

    async def ask(self, call: Call, timeout_s: float) -> Answer: ...
