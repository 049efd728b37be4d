"""The store of changes: bounded, and one note beside them."""

from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from foregate.adapters.embedded import changes
from foregate.adapters.embedded.changes import EmbeddedChanges
from foregate.wire.change import Change


def change(number: int) -> Change:
    return Change(f"dep_{number}", float(number), "deployment", "default", "production", ("a",), version=str(number))


def test_at_the_bound_the_oldest_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "CHANGES_MAX", 3)
    with closing(EmbeddedChanges(tmp_path / "changes.sqlite")) as store:
        store.put([change(number) for number in (2, 1, 4, 3, 5)])
        assert store.recent(10) == [change(5), change(4), change(3)]
        assert store.between(3.0, 5.0, 10) == [change(3), change(4)]


def test_a_note_changes_with_the_changes_or_not_at_all(tmp_path: Path) -> None:
    with closing(EmbeddedChanges(tmp_path / "changes.sqlite")) as store:
        assert store.noted() is None
        store.put([change(1)], b"one")
        broken = msgspec.structs.replace(change(3), time_s=None)
        with pytest.raises(OSError, match="NOT NULL"):
            store.put([change(2), broken], b"two")
    with closing(EmbeddedChanges(tmp_path / "changes.sqlite")) as store:
        assert (store.noted(), store.recent(10)) == (b"one", [change(1)])
