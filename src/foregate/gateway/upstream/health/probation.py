"""Active checks as a decision: how many in a row it takes to change what is believed of a target."""

from foregate.wire.snapshot import ActiveCheck


class Probation:
    """Healthy until shown otherwise: a gateway that starts must not refuse all requests until it has asked around."""

    __slots__ = ("_against", "healthy")

    def __init__(self) -> None:
        self.healthy = True
        self._against = 0  # checks in a row that spoke against what is believed

    def note(self, passed: bool, settings: ActiveCheck) -> bool:
        """Take in one check's outcome. True when it changed the verdict."""
        if passed is self.healthy:
            self._against = 0
            return False
        self._against += 1
        if self._against < (settings.unhealthy if self.healthy else settings.healthy):
            return False
        self.healthy = not self.healthy
        self._against = 0
        return True

    def reset(self) -> None:
        """Checks are no longer made: nothing is known against it."""
        self.healthy = True
        self._against = 0
