"""Models of own traffic and the minutes they learn from are in a backup, whole."""

from pathlib import Path

from tests.app.training.test_collect import rows

from foregate.adapters.embedded.minutes import EmbeddedMinutes
from foregate.adapters.embedded.models import EmbeddedModels
from foregate.app.backup import back_up, restore
from foregate.app.models.serving import promoted
from foregate.app.paths import DataDir
from foregate.kernel.clock import ManualClock
from foregate.wire.models import ModelEntry


def test_after_a_restore_the_same_model_serves_and_learning_goes_on(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "data")
    data.create()
    entry = ModelEntry("shop", "v1", 1.0, 0.0, 1.0, "", 1, better=True, reason="better")
    registry = EmbeddedModels(data.models)
    registry.add(entry, {"model.fgm": b"abc"})
    registry.change("shop", lambda serving: promoted(serving, entry, 5.0))
    EmbeddedMinutes(data.minutes).put("shop", 19_700, rows((0, 0, 4.0)))
    (data.models / "shop" / ".new-v2").mkdir()
    (data.models / "shop" / ".new-v2" / "model.fgm").write_bytes(b"half")
    listing = back_up(data, tmp_path / "backup", ManualClock())
    assert not [name for name in listing.files if "/." in name]
    again = DataDir(tmp_path / "again")
    restore(tmp_path / "backup", again)
    restored = EmbeddedModels(again.models)
    assert restored.serving("shop") == registry.serving("shop")
    assert restored.read("shop", "v1", "model.fgm") == b"abc"
    assert list(EmbeddedMinutes(again.minutes).days("shop")) == [19_700]
