"""Where things lie in a data directory."""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from foregate.kernel.secrets import new_pepper, new_token

SECRET_CHARS_MIN = 32  # a shorter file is taken for damaged


@dataclass(frozen=True)
class DataDir:
    """The names of everything that foregate keeps on disk."""

    root: Path

    @property
    def snapshot(self) -> Path:
        return self.root / "snapshot.json"

    @property
    def settings(self) -> Path:
        return self.root / "settings.json"

    @property
    def bus(self) -> Path:
        return self.root / "bus.sqlite"

    @property
    def series(self) -> Path:
        return self.root / "series.sqlite"

    @property
    def ingest(self) -> Path:
        return self.root / "ingest.json"

    @property
    def ingest_counts(self) -> Path:
        return self.root / "ingest.bin"

    @property
    def findings(self) -> Path:
        return self.root / "findings.sqlite"

    @property
    def changes(self) -> Path:
        return self.root / "changes.sqlite"

    @property
    def counters(self) -> Path:
        return self.root / "counters.bin"

    @property
    def certificates(self) -> Path:
        return self.root / "certificates"

    @property
    def limits(self) -> Path:
        return self.root / "limits.bin"

    @property
    def abuse(self) -> Path:
        return self.root / "abuse.sqlite"

    @property
    def verdicts(self) -> Path:
        return self.root / "verdicts.json"

    @property
    def false_alarms(self) -> Path:
        return self.root / "false-alarms.json"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def archive(self) -> Path:
        return self.root / "archive"

    @property
    def journeys(self) -> Path:
        return self.root / "journeys.sqlite"

    @property
    def logs(self) -> Path:
        return self.root / "logs.sqlite"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def minutes(self) -> Path:
        return self.root / "minutes"

    @property
    def processes(self) -> Path:
        return self.root / "processes.json"

    @property
    def reload(self) -> Path:
        return self.root / "reload.json"

    @property
    def lab(self) -> Path:
        return self.root / "lab.json"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def own_logs(self) -> Path:
        return self.root / "log"

    def own_log(self, process: str) -> Path:
        return self.own_logs / f"{process}.ndjson"

    @property
    def spools(self) -> Path:
        return self.root / "spool"

    def spool(self, worker: int) -> Path:
        return self.spools / f"w{worker}"

    def create(self) -> None:
        """Make the directory for its owner alone. Raises OSError when that is not possible."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)

    def pepper(self) -> bytes:
        """The pepper of API key hashes; made at the first call, in a file only its owner may read."""
        text = self.secret("pepper", lambda: new_pepper().hex())
        try:
            return bytes.fromhex(text)
        except ValueError as error:
            raise OSError(f"{self.root / 'pepper'} is damaged (not hexadecimal): put a backup in its place") from error

    def console_token(self) -> str:
        """The console's token; made at the first call."""
        return self.secret("console.token", new_token)

    def secret(self, name: str, make: Callable[[], str]) -> str:
        """The content of the secret file `name`, made by `make` when it is not there (atomically, mode 0600).

        Raises OSError when the file holds no secret: an empty one would open what it is to protect.
        """
        path = self.root / name
        try:
            secret = path.read_text().strip()
        except FileNotFoundError:
            write_private(path, make() + "\n")
            secret = path.read_text().strip()
        if len(secret) < SECRET_CHARS_MIN:
            raise OSError(
                f"{path} holds no secret (it is damaged): put a backup in its place, or delete it for a new one"
            )
        return secret


def located(error: OSError, path: Path) -> OSError:
    """The error with the path that it is about, where the system has not said it; and what to do about a full disk."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    reason = f"{error.strerror} (free some there)" if full and error.strerror else error.strerror
    return OSError(error.errno, reason or str(error), str(path))


def write_private(path: Path, text: str, *, durable: bool = True) -> None:
    """Replace `path` by `text` at once and durably, readable by its owner alone.

    Not `durable`: a power cut may lose it, for what is written anew at each start; it takes no time of the disk's.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)  # a full disk must not fill up with our attempts
        raise located(error, path) from error
    if not durable:
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)  # the new name must survive a power cut too
    finally:
        os.close(folder)
