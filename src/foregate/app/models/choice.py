"""Which model judges an organisation: the configured file, its own model, or the bundled one. What cannot be used is
never replaced in silence: what really judges is written down beside why, for the console and the log."""

from collections.abc import Callable
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

import structlog

from foregate.kernel.clock import Clock
from foregate.kernel.limits import MODEL_ORGS_MAX
from foregate.ports.models import ModelRegistry
from foregate.wire.models import BUNDLED, InForce, Serving

LOOK_EVERY_S: Final = 5.0
OFF: Final = "off"


class Versioned(Protocol):
    """As much of a model as is needed here."""

    @property
    def version(self) -> str: ...


M = TypeVar("M", bound=Versioned)


class Loading(NamedTuple, Generic[M]):
    """How models are had. Both raise `unusable` with a sentence for people, or OSError."""

    fixed: Callable[[], M] | None  # the file of `predict.model_path`: then it judges everybody
    bundled: Callable[[], M]
    decode: Callable[[bytes, str], M]
    unusable: type[Exception]


class _Chosen(NamedTuple, Generic[M]):
    model: M | None
    stamp: object  # of what it was chosen by; `AGAIN` where the reason may pass
    in_force: InForce


AGAIN: Final = object()  # unlike every stamp: looked for anew at the next look


class ModelChoice(Generic[M]):
    """For the analyzer. `of` is a look into a table; `look` follows what people and trainings have changed."""

    def __init__(
        self,
        registry: ModelRegistry,
        loading: Loading[M],
        clock: Clock,
        log: structlog.typing.FilteringBoundLogger,
        *,
        own_max: int = MODEL_ORGS_MAX,
    ) -> None:
        self._registry = registry
        self._loading = loading
        self._clock = clock
        self._log = log
        self._own_max = own_max
        self._chosen: dict[str, _Chosen[M]] = {}
        self._prior: tuple[M | None, str] | None = None
        self._looked_s = -LOOK_EVERY_S
        self._unwritten = False
        self._passing = False  # whether what is being chosen was chosen for a reason that may pass

    def of(self, org: str) -> M | None:
        """The model that judges it; None: none does, and no score is made up."""
        chosen = self._chosen.get(org)
        if chosen is None:
            chosen = self._choose(org)
        return chosen.model

    def look(self) -> None:
        """Exchange what has changed; at most once in `LOOK_EVERY_S` anything is looked at."""
        now_s = self._clock.monotonic()
        if now_s - self._looked_s < LOOK_EVERY_S:
            return
        self._looked_s = now_s
        for org, chosen in list(self._chosen.items()):
            if chosen.stamp is AGAIN or (self._loading.fixed is None and self._stamp(org) != chosen.stamp):
                self._choose(org)
        if self._unwritten:
            self._write()

    def _choose(self, org: str) -> _Chosen[M]:
        stamp = self._stamp(org)
        self._passing = False
        model, note = self._prior_model() if self._loading.fixed is not None else self._own_or_bundled(org)
        version = model.version if model is not None else OFF
        before = self._chosen.get(org)
        since_s = self._clock.now()
        if before is not None and before.in_force.version == version:
            since_s = before.in_force.since_s
        chosen = _Chosen(model, AGAIN if self._passing else stamp, InForce(org, version, since_s, note))
        self._chosen[org] = chosen
        if before is None or before.in_force != chosen.in_force:
            self._unwritten = True
            say = self._log.error if note else self._log.info
            say("model_in_force", org=org, version=version, note=note)
        return chosen

    def _stamp(self, org: str) -> object:
        """One that cannot be had stays as it is until it can: whoever reads what it is of says why."""
        try:
            return self._registry.stamp(org)
        except OSError as error:
            return str(error)

    def _own_or_bundled(self, org: str) -> tuple[M | None, str]:
        try:
            serving = self._registry.serving(org)
        except OSError as error:
            self._passing = True
            return self._instead(str(error))
        if serving.version == BUNDLED:
            return self._prior_model()
        if self._others_with_own(org) >= self._own_max:
            self._passing = True
            return self._instead(f"{self._own_max} organisations have models of their own: there is a bound")
        return self._own(org, serving)

    def _own(self, org: str, serving: Serving) -> tuple[M | None, str]:
        """The version that should serve, or the last before it that can."""
        failures = []
        for version in _candidates(serving):
            if version == BUNDLED:
                break
            try:
                model = self._loading.decode(
                    self._registry.read(org, version, "model.fgm"), f"model {version} of {org}"
                )
            except (self._loading.unusable, OSError) as error:
                self._passing = self._passing or isinstance(error, OSError)
                failures.append(str(error))
                continue
            return model, "; ".join(failures) and f"{'; '.join(failures)}: {version} judges instead"
        return self._instead("; ".join(failures))

    def _instead(self, reason: str) -> tuple[M | None, str]:
        model, note = self._prior_model()
        return model, f"{reason}: the bundled model judges instead" if model is not None else f"{reason}; {note}"

    def _prior_model(self) -> tuple[M | None, str]:
        """The fixed or the bundled model, loaded once; with a note where it cannot be used."""
        if self._prior is None:
            try:
                self._prior = (self._loading.fixed or self._loading.bundled)(), ""
            except self._loading.unusable as error:
                self._prior = None, f"{error}: nothing is predicted"
            except OSError as error:
                self._passing = True
                return None, f"{error}: nothing is predicted"
        return self._prior

    def _others_with_own(self, org: str) -> int:
        prior = self._prior[0] if self._prior is not None else None
        return sum(of != org and each.model not in (None, prior) for of, each in self._chosen.items())

    def _write(self) -> None:
        try:
            self._registry.put_in_force([chosen.in_force for _, chosen in sorted(self._chosen.items())])
            self._unwritten = False
        except OSError as error:  # a full disk: judging goes on, and the next look tries again
            self._log.warning("models_in_force_not_written", error=str(error))


def _candidates(serving: Serving) -> list[str]:
    """What serves, and what served before it, newest first; not what was withdrawn."""
    found = [serving.version]
    for change in reversed(serving.changes):
        if change.version == found[-1] and change.before not in found:
            found.append(change.before)
    return [version for version in found if version not in serving.withdrawn]
