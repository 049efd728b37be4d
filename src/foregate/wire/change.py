"""What was changed on purpose, and when: a new version of a service, other targets, another configuration."""

from typing import Final, Literal

import msgspec

from foregate.wire.entity import Entity

# "deployment": somebody has said so. "targets": the configuration names other targets of a service, which is how a
# new version often comes. "configuration": anything else of it.
ChangeKind = Literal["deployment", "targets", "configuration"]
NAMES_MAX: Final = 100  # services, and routes, that a change names; one of more is of all
DEPLOYS: Final = frozenset({"deployment", "targets"})
BY_CONFIGURATION: Final = frozenset({"targets", "configuration"})


class Change(msgspec.Struct, array_like=True, frozen=True):
    """`services` and `routes`: of whom; both empty: of all. `version` and `note` are free text, `by` who has said so.
    `time_s`: Unix seconds."""

    id: str
    time_s: float
    kind: ChangeKind
    org: str
    environment: str
    services: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    version: str = ""
    by: str = ""
    note: str = ""

    def concerns(self, entity: Entity) -> bool:
        """Whether it is a change of this entity's service or route."""
        if (entity.org, entity.environment) != (self.org, self.environment):
            return False
        everything = not self.services and not self.routes
        return everything or entity.service in self.services or entity.route in self.routes
