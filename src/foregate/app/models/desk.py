"""What people may do about the models of own traffic, from the console or the command line: look, and roll back.

Works on the registry alone: it needs nobody else to be alive. The analyzer follows within seconds.
"""

from collections.abc import Sequence

from foregate.app.models.serving import rolled_back
from foregate.kernel.clock import Clock
from foregate.kernel.errors import ForegateError
from foregate.ports.models import ModelFile, ModelRegistry
from foregate.wire.models import ModelEntry, OrgModels, Serving


class ModelDesk:
    """All methods block, and may raise OSError. `fixed`: the file that judges everybody, where one is configured."""

    def __init__(self, registry: ModelRegistry, clock: Clock, fixed: str | None = None) -> None:
        self._registry = registry
        self._clock = clock
        self._fixed = fixed

    @property
    def fixed(self) -> str | None:
        return self._fixed

    def all(self) -> Sequence[OrgModels]:
        """Of every organisation that was judged or learnt from."""
        found, damage = [], list[str]()
        try:
            in_force = {each.org: each for each in self._registry.in_force()}
        except OSError as error:
            in_force = {}
            damage.append(str(error))
        for org in sorted({*self._registry.orgs(), *in_force}):
            notes = damage.copy()
            serving = Serving()
            try:
                serving = self._registry.serving(org)
                learning, shift = self._registry.learning(org), self._registry.shift(org)
            except OSError as error:
                learning = shift = None
                notes.append(str(error))
            entries: tuple[ModelEntry, ...] = ()
            try:
                entries = tuple(self._registry.entries(org))
            except OSError as error:
                notes.append(str(error))
            found.append(OrgModels(org, serving, in_force.get(org), entries, learning, shift, "; ".join(notes)))
        return found

    def roll_back(self, org: str, version: str | None, by: str, note: str = "") -> Serving:
        """`version`, or what served before, serves again. Raises ForegateError: not_found, conflict."""
        if self._fixed is not None:
            raise ForegateError("conflict", f"predict.model_path is set: {self._fixed} judges, whatever is chosen.")
        if org not in self._registry.orgs():
            raise ForegateError("not_found", f"There are no models of {org} here.")
        kept = {entry.version for entry in self._registry.entries(org)}
        now_s = self._clock.now()
        return self._registry.change(org, lambda serving: rolled_back(serving, kept, version, now_s, by, note))

    def card(self, org: str, version: str, name: ModelFile = "card.md") -> bytes:
        """Raises ForegateError("not_found")."""
        try:
            return self._registry.read(org, version, name)
        except FileNotFoundError:
            raise ForegateError("not_found", f"There is no model {version} of {org}.") from None
