"""What is known of an API's minute beside its traffic: what runs out, what was changed, who depends on whom.

`Signals.minute` gives, per entity, those of `wire.minutes.SIGNALS` that no window counts; a source that cannot be read
is missing from the answer and said once in the log, it never ends judgement. `docs/guides/deployments.md` and
`docs/reference/recorded-telemetry.md` say the same for people.
"""

from foregate.app.signals.changes import ChangeWatch
from foregate.app.signals.resource_watch import ResourceWatch
from foregate.app.signals.resources import Resources
from foregate.app.signals.signals import Signals, open_signals

__all__ = ["ChangeWatch", "ResourceWatch", "Resources", "Signals", "open_signals"]
