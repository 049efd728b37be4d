"""The registry of models that were trained on own traffic: every version with its card, and which one serves."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

from foregate.wire.models import InForce, Learning, ModelEntry, Serving, Shift

ModelFile = Literal["model.fgm", "card.json", "card.md", "reference.json"]


class ModelRegistry(Protocol):
    """Every call is one durable step: killed at any moment, the registry is as before it or as after it.

    All of these block and may raise OSError, with a sentence for people where something is damaged.
    """

    def orgs(self) -> Sequence[str]: ...

    def add(self, entry: ModelEntry, files: Mapping[ModelFile, bytes]) -> Sequence[str]:
        """Keep a model and what belongs to it; the same version twice is kept once. Nothing serves by that.

        Returns the versions that had to go for it: the oldest that neither serve nor served before.
        """
        ...

    def entries(self, org: str) -> Sequence[ModelEntry]:
        """The newest first; one that cannot be read is there with the reason, and not `better`."""
        ...

    def read(self, org: str, version: str, name: ModelFile) -> bytes:
        """Raises FileNotFoundError, or OSError where it is larger than a model may be."""
        ...

    def serving(self, org: str) -> Serving:
        """What nobody ever changed is served by the bundled model."""
        ...

    def change(self, org: str, change: Callable[[Serving], Serving]) -> Serving:
        """Decide anew which model serves, one process at a time. What `change` raises leaves everything as it is."""
        ...

    def stamp(self, org: str) -> object:
        """Differs once another model serves; cheap."""
        ...

    def put_learning(self, org: str, learning: Learning) -> None: ...

    def learning(self, org: str) -> Learning | None: ...

    def put_shift(self, org: str, shift: Shift) -> None: ...

    def shift(self, org: str) -> Shift | None: ...

    def put_counts(self, org: str, version: str, content: bytes) -> None:
        """What a watch over shifts has counted of this model; nothing is lost but time where a power cut takes it."""
        ...

    def counts(self, org: str, version: str) -> bytes | None:
        """None where there are none, or those of another model."""
        ...

    def put_in_force(self, models: Sequence[InForce]) -> None:
        """What the analyzer judges by, of all organisations at once."""
        ...

    def in_force(self) -> Sequence[InForce]: ...
