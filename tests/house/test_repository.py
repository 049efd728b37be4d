"""What may not be committed."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def tracked(*patterns: str) -> list[Path]:
    names = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in names.splitlines() if (ROOT / name).is_file()]


def test_lock_files_hold_hashes_and_no_addresses() -> None:
    locks = tracked("*.lock", "*package-lock.json")
    assert len(locks) >= 3
    for lock in locks:
        assert not re.search(r"https?://[^\s\"]*\.(?:tgz|whl|gz)|--index-url", lock.read_text()), lock
    for lock in tracked("requirements/*.lock"):
        assert "--hash=sha256:" in lock.read_text(), lock


def test_built_assets_are_not_committed() -> None:
    assert not tracked("src/foregate/control/console/assets/*")


def test_architecture_fits_on_150_lines() -> None:
    assert len((ROOT / "ARCHITECTURE.md").read_text().splitlines()) <= 150


def test_relative_links_in_documents_lead_somewhere() -> None:
    broken = [
        f"{document.relative_to(ROOT)} → {link}"
        for document in tracked("*.md")
        for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", document.read_text())
        if not (document.parent / link).exists()
    ]
    assert not broken
