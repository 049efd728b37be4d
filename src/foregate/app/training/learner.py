"""One training on an organisation's own traffic, from the collected minutes to the model that serves afterwards."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import structlog

from foregate.app.models.serving import promotable, promoted
from foregate.app.training.collect import Collector
from foregate.kernel.clock import Clock
from foregate.ports.models import ModelRegistry
from foregate.predict.evaluate.system import Scorer
from foregate.predict.models.model import ModelError
from foregate.predict.registry.amount import ENOUGH, Amount
from foregate.predict.registry.learn import Ask, Lacking, Learned, Tools, learn
from foregate.wire.models import BUNDLED, Learning, Serving

COMMAND: Final = "foregate predict learn"


class Learner:
    """Blocking, for minutes: for a process of its own. `bundled`: the content of the prior model's file; `budget`: how
    many false alarms per API and day an organisation wants at most."""

    def __init__(
        self,
        registry: ModelRegistry,
        collector: Collector,
        tools: Tools,
        bundled: Callable[[], bytes],
        clock: Clock,
        log: structlog.typing.FilteringBoundLogger,
        *,
        budget: Callable[[str], float],
        needs: Amount = ENOUGH,
    ) -> None:
        self._registry = registry
        self._collector = collector
        self._tools = tools
        self._bundled = bundled
        self._clock = clock
        self._log = log
        self._needs = needs
        self.budget = budget

    def orgs(self) -> Sequence[str]:
        """Those with any traffic."""
        return self._collector.orgs()

    def learn(self, org: str, *, seed: int = 0) -> tuple[Learning, str]:
        """Collect, train, judge, and promote what is better. Returns what came of it, and the card in Markdown ("" when
        nothing was trained). What cannot be read of one organisation is its answer, and no harm to the others. Raises
        OSError where even that cannot be kept."""
        began_s, now_s = self._clock.monotonic(), self._clock.now()
        try:
            learning, card = self._learn(org, seed, now_s)
        except OSError as error:
            self._log.error("learning_failed", org=org, error=str(error))
            learning, card = Learning(now_s, "failed", str(error)), ""
        took_s = round(self._clock.monotonic() - began_s, 1)
        learning = msgspec.structs.replace(learning, took_s=took_s)
        self._registry.put_learning(org, learning)
        self._log.info("learning_ended", org=org, outcome=learning.outcome, sentence=learning.sentence, took_s=took_s)
        return learning, card

    def _learn(self, org: str, seed: int, now_s: float) -> tuple[Learning, str]:
        days = self._collector.collect(org, now_s)
        self._log.info("minutes_collected", org=org, days=days)
        system, left_out = self._collector.system(org, now_s)
        ask = Ask(self._champion(org), self.budget(org), seed, now_s, f"{COMMAND} --org {org} --seed {seed}", left_out)
        found = learn(system, self._tools, ask, self._needs)
        if isinstance(found, Lacking):
            return Learning(now_s, "learning", found.sentence, *found.amount), ""
        return self._kept(found, now_s), found.files["card.md"].decode()

    def _champion(self, org: str) -> tuple[str, Scorer] | None:
        """Who serves, as far as it can be used: else only the baselines are to be beaten, and the log says so."""
        try:
            version = self._registry.serving(org).version
            content = self._bundled() if version == BUNDLED else self._registry.read(org, version, "model.fgm")
            return version, self._tools.scorer(content)
        except (ModelError, OSError) as error:
            self._log.warning("champion_unusable", org=org, error=str(error), effect="judged against baselines alone")
            return None

    def _kept(self, found: Learned, now_s: float) -> Learning:
        """Kept with its card, whatever the verdict; it serves where nothing is against it."""
        entry = found.entry
        gone = self._registry.add(entry, found.files)
        if gone:
            self._log.info("models_forgotten", org=entry.org, versions=list(gone))
        against: list[str] = []

        def decide(serving: Serving) -> Serving:
            if (reason := promotable(entry, serving, now_s)) is not None:
                against.append(reason)
                return serving
            return promoted(serving, entry, now_s)

        self._registry.change(entry.org, decide)
        if against:
            return Learning(now_s, "refused", against[0], *found.amount, entry.version)
        return Learning(now_s, "promoted", entry.reason, *found.amount, entry.version)
