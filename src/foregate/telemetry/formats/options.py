"""How bodies are read."""

from dataclasses import dataclass, field

from foregate.telemetry.identity import Routes


@dataclass(frozen=True, slots=True)
class Options:
    """One for all bodies of a process: `routes` learns what routes there are, and is all that outlives a body.

    `requests_from_spans`: spans of served HTTP and RPC requests are request events, too, so that windows and
    predictions see them. `items_max`: of one body; one with more is refused whole, `body_too_large`. An item more than
    `ahead_s_max` later than its receipt is invalid: its sender's clock is wrong.
    """

    routes: Routes = field(default_factory=Routes)
    requests_from_spans: bool = True
    items_max: int = 50_000
    ahead_s_max: float = 3_600.0
