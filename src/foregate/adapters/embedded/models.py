"""The registry of models as a folder: `<org>/<version>/` with a model and its cards, `<org>/current.json` who serves.

A version's folder is filled under another name and renamed once it is on the disk; `current.json` is replaced at once.
So whoever is killed leaves the state before or after, and at most a folder `.new-…`, which the next writer removes.
"""

import errno
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote, unquote

import msgspec

from foregate.adapters.embedded.locks import exclusive
from foregate.kernel.limits import MODEL_CHANGES_MAX, MODEL_FILE_BYTES_MAX, MODEL_VERSIONS_MAX
from foregate.ports.models import ModelFile
from foregate.wire.models import InForce, Learning, ModelEntry, Serving, Shift

T = TypeVar("T")
_ENTRY: Final = "entry.json"
_CURRENT: Final = "current.json"
_NEW: Final = ".new-"
_NO_SUCH: Final = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)  # whatever somebody asks for by a made-up name


class _Counts(msgspec.Struct, frozen=True):
    version: str
    counts: msgspec.Raw


class EmbeddedModels:
    """A `ports.models.ModelRegistry` of one machine, for as many processes as there are. Makes `folder` when it writes.

    At most `versions_max` models of an organisation are kept.
    """

    def __init__(self, folder: Path, *, versions_max: int = MODEL_VERSIONS_MAX) -> None:
        self._folder = folder
        self._versions_max = versions_max

    def orgs(self) -> Sequence[str]:
        if not self._folder.exists():
            return ()
        return sorted(unquote(path.name) for path in self._folder.iterdir() if path.is_dir())

    def add(self, entry: ModelEntry, files: Mapping[ModelFile, bytes]) -> Sequence[str]:
        folder = self._of(entry.org)
        contents = {str(name): content for name, content in files.items()} | {_ENTRY: _json(entry)}
        with self._writing(entry.org):
            final = folder / entry.version
            if not final.exists():
                new = folder / f"{_NEW}{entry.version}"
                new.mkdir(mode=0o700)
                for name, content in contents.items():
                    _write(new / name, content)
                _settle(new)
                new.rename(final)
                _settle(folder)
            return self._make_room(entry.org)

    def entries(self, org: str) -> Sequence[ModelEntry]:
        found = [self._entry(org, path) for path in _versions(self._of(org))]
        return sorted(found, key=lambda entry: (-entry.made_s, entry.version))

    def read(self, org: str, version: str, name: ModelFile) -> bytes:
        path = self._of(org) / _plain(version) / name
        try:
            if path.stat().st_size > MODEL_FILE_BYTES_MAX:
                raise OSError(f"{path} is larger than {MODEL_FILE_BYTES_MAX} bytes: that is no file of a model")
            return path.read_bytes()
        except OSError as error:
            if error.errno in _NO_SUCH:
                raise FileNotFoundError(str(error)) from error
            raise

    def serving(self, org: str) -> Serving:
        return _read(self._of(org) / _CURRENT, Serving) or Serving()

    def change(self, org: str, change: Callable[[Serving], Serving]) -> Serving:
        with self._writing(org):
            try:
                before = self.serving(org)
            except OSError:  # damaged: whoever decides anew mends it
                before = Serving()
            after = change(before)
            if after != before:
                after = msgspec.structs.replace(after, changes=after.changes[-MODEL_CHANGES_MAX:])
                _replace(self._of(org) / _CURRENT, _json(after))
            return after

    def stamp(self, org: str) -> object:
        try:
            found = (self._of(org) / _CURRENT).stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def put_learning(self, org: str, learning: Learning) -> None:
        self._put(org, "learning.json", learning)

    def learning(self, org: str) -> Learning | None:
        return _read(self._of(org) / "learning.json", Learning)

    def put_shift(self, org: str, shift: Shift) -> None:
        self._put(org, "shift.json", shift)

    def shift(self, org: str) -> Shift | None:
        return _read(self._of(org) / "shift.json", Shift)

    def put_counts(self, org: str, version: str, content: bytes) -> None:
        self._put(org, "counts.json", _Counts(version, msgspec.Raw(content)))

    def counts(self, org: str, version: str) -> bytes | None:
        found = _read(self._of(org) / "counts.json", _Counts)
        return bytes(found.counts) if found is not None and found.version == version else None

    def put_in_force(self, models: Sequence[InForce]) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _replace(self._folder / "in_force.json", _json(models))

    def in_force(self) -> Sequence[InForce]:
        return _read(self._folder / "in_force.json", tuple[InForce, ...]) or ()

    def _of(self, org: str) -> Path:
        return self._folder / quote(org, safe="").replace(".", "%2E")

    def _put(self, org: str, name: str, value: msgspec.Struct) -> None:
        with self._writing(org):
            _replace(self._of(org) / name, _json(value))

    def _writing(self, org: str) -> "_Writing":
        return _Writing(self._of(org))

    def _entry(self, org: str, folder: Path) -> ModelEntry:
        try:
            found = _read(folder / _ENTRY, ModelEntry)
            reason = f"{folder / _ENTRY} is missing"
        except OSError as error:
            found, reason = None, str(error)
        return found or ModelEntry(org, folder.name, 0.0, 0.0, 0.0, "", 0, better=False, reason=reason)

    def _make_room(self, org: str) -> Sequence[str]:
        """The oldest go, those that were not better first; never what serves, or what it would be rolled back to."""
        try:
            serving = self.serving(org)
        except OSError:
            return ()  # nobody knows what serves: nothing goes
        entries = self.entries(org)
        stays = {serving.version, *(change.before for change in serving.changes[-1:])}
        may_go = [entry for entry in entries[1:] if entry.version not in stays]
        may_go.sort(key=lambda entry: (entry.better, entry.made_s))
        gone = [entry.version for entry in may_go[: max(0, len(entries) - self._versions_max)]]
        for version in gone:
            dying = self._of(org) / f"{_NEW}{version}"  # renamed first: half a model must not look like a whole one
            (self._of(org) / version).rename(dying)
            shutil.rmtree(dying)
        return gone


class _Writing:
    """An organisation's folder for one writer at a time, without what killed ones have left."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = exclusive(folder / ".lock")

    def __enter__(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock.__enter__()
        for left in self._folder.glob(f"{_NEW}*"):
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink(missing_ok=True)

    def __exit__(self, *error: Any) -> None:
        self._lock.__exit__(*error)


def _versions(folder: Path) -> list[Path]:
    if not folder.exists():
        return []
    return [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]


def _plain(version: str) -> str:
    """A version is a name in one folder, whoever asks. Raises FileNotFoundError."""
    if not version or version.startswith(".") or "/" in version or "\0" in version:
        raise FileNotFoundError(f"there is no version {version!r}")
    return version


def _json(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value)) + b"\n"


def _read(path: Path, of: type[T]) -> T | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=of)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise OSError(f"{path} is damaged: {error}") from error


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _replace(path: Path, content: bytes) -> None:
    new = path.with_name(f"{_NEW}{path.name}")
    try:
        _write(new, content)
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)  # a full disk must not fill up with our attempts
        raise
    _settle(path.parent)


def _settle(folder: Path) -> None:
    """The names in it survive a power cut too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
