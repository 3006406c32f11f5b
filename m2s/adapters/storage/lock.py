"""Who owns the database file? One process, by a lock beside it that says which and where it serves."""

import fcntl
import os
import time
from pathlib import Path

from m2s.core.base.errors import Conflict

# `held_by` takes the lock shared for a moment; a server that starts at that moment must not be refused.
_TRIES = 5
_PAUSE_S = 0.02


class FileLock:
    """An exclusive lock on `<database file>.lock`; the system lets go of it when the process ends, however it ends."""

    def __init__(self, path: Path, *, url: str | None = None) -> None:
        """Takes the lock of the database file `path`; `url` tells others where the holder serves.

        Raises Conflict when another process (or another lock in this one) holds it.
        """
        self._fd = os.open(_lock_path(path), os.O_RDWR | os.O_CREAT, 0o600)
        for left in reversed(range(_TRIES)):
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not left:
                    holder = _holder(self._fd)
                    os.close(self._fd)
                    raise Conflict(
                        f"the database {path} is in use by {holder}; stop it first, or use its HTTP routes",
                        code="database_in_use",
                    ) from None
                time.sleep(_PAUSE_S)
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()} {url or ''}\n".encode(), 0)

    def release(self) -> None:
        """Lets go of the lock; the file stays, because removing it could leave two holders."""
        if self._fd >= 0:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = -1


def held_by(path: Path) -> str | None:
    """Who holds the lock of the database file `path`, as `process 4711 at http://127.0.0.1:8000`; None when nobody."""
    try:
        fd = os.open(_lock_path(path), os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _holder(fd)
    else:
        return None
    finally:
        os.close(fd)


def _lock_path(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _holder(fd: int) -> str:
    pid, _, url = os.pread(fd, 4096, 0).decode(errors="replace").strip().partition(" ")
    if not pid:
        return "another process"
    return f"process {pid} at {url}" if url else f"process {pid}"
