"""What is left of a database when the power fails? A file system that forgets what was not synced, and every cut.

`python -m tests.faults.power_cut` reads from its standard input what to run (see `main`) and prints as JSON what it
found. It runs in a process of its own, because apsw brings an SQLite library and no process may hold two.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

MAIN = "m2s.sqlite3"
DISK = "forgetful"
SECTOR_BYTES = 512
MOST_KEPT = 12
COUNTED = ("cuts", "torn", "syncs", "written_back", "writes", "lost_cuts", "most_lost", "half_applied")

Operation = tuple[str, str, int, bytes]
"""(write | truncate | sync | delete | commit, file, offset or size, what was written)"""


class ForgetfulDisk(apsw.VFS):
    """The system's files, every change of which is noted in its order. Shared memory is not a file and is lost."""

    def __init__(self, notes: list[Operation]) -> None:
        self.notes = notes
        super().__init__(DISK, "")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        return _NotedFile(self.notes, name, flags)

    def xDelete(self, name: str, syncdir: bool) -> None:
        super().xDelete(name, syncdir)
        self.notes.append(("delete", Path(name).name, 0, b""))


class _NotedFile(apsw.VFSFile):
    def __init__(self, notes: list[Operation], name: Any, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._notes = notes
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._name = Path(path).name if path else "temporary"

    def xWrite(self, data: bytes, offset: int) -> None:
        super().xWrite(data, offset)
        self._notes.append(("write", self._name, offset, bytes(data)))

    def xTruncate(self, size: int) -> None:
        super().xTruncate(size)
        self._notes.append(("truncate", self._name, size, b""))

    def xSync(self, flags: int) -> None:  # noqa: ARG002
        self._notes.append(("sync", self._name, 0, b""))


@dataclass
class Run:
    """What a run did to its files, and how the database looked after each commit that changed something."""

    notes: list[Operation] = field(default_factory=list)
    states: list[str] = field(default_factory=list)


def replayed(path: Path, connections: Sequence[Sequence[str]]) -> Run:
    """Runs the statements of each connection in turn; a commit is noted when it has returned."""
    run = Run()
    disk = ForgetfulDisk(run.notes)
    for statements in connections:
        connection = apsw.Connection(str(path), vfs=DISK)
        run.states = run.states or [state_of(connection)]
        for statement in statements:
            for _ in connection.execute(statement):
                pass
            if statement == "COMMIT" and (state := state_of(connection)) != run.states[-1]:
                run.states.append(state)
                run.notes.append(("commit", "", 0, b""))
        connection.close()
    disk.unregister()
    return run


def state_of(connection: apsw.Connection) -> str:
    """A hash of everything that the database holds."""
    digest = hashlib.blake2b(digest_size=16)
    tables = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY type, name").fetchall()
    for name, text in tables:
        digest.update(repr((name, text)).encode())
        if text and text.startswith("CREATE TABLE"):
            for row in connection.execute(f'SELECT * FROM "{name}"'):  # noqa: S608
                digest.update(repr(row).encode())
    return digest.hexdigest()


class Shadow:
    """What the disk holds for certain, and what was written since and may or may not be there."""

    def __init__(self) -> None:
        self.synced: dict[str, bytearray] = {MAIN: bytearray()}
        self.loose: dict[str, list[Operation]] = {}
        self.version = 0

    def take(self, note: Operation) -> None:
        """Follows one operation."""
        what, name, _, _ = note
        if what in ("write", "truncate"):
            self.loose.setdefault(name, []).append(note)
        elif what == "sync":
            content = self.synced.setdefault(name, bytearray())
            for waiting in self.loose.pop(name, []):
                _apply(content, waiting)
            self.version += 1
        elif what == "delete":
            self.synced.pop(name, None)
            self.loose.pop(name, None)
            self.version += 1

    def torn(self, coin: random.Random) -> dict[str, bytearray]:
        """The files when any part of what is loose has reached the disk, sector by sector."""
        files = {name: bytearray(content) for name, content in self.synced.items()}
        for name, waiting in self.loose.items():
            share = coin.random()
            content = files.get(name, bytearray())
            for note in waiting:
                for part in _sectors(note):
                    if coin.random() < share:
                        _apply(content, part)
                        files[name] = content
        return files


def _apply(content: bytearray, note: Operation) -> None:
    what, _, offset, data = note
    if what == "truncate":
        del content[offset:]
        return
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(data)] = data


def _sectors(note: Operation) -> Iterator[Operation]:
    what, name, offset, data = note
    if what == "truncate":
        yield note
        return
    at = 0
    while at < len(data):
        size = SECTOR_BYTES - (offset + at) % SECTOR_BYTES
        yield what, name, offset + at, data[at : at + size]
        at += size


@dataclass
class Judge:
    """Opens what a cut left, as a start would, and says which state of the run it is."""

    folder: Path
    states: Sequence[str]
    kept: Path
    flaws: list[str] = field(default_factory=list)
    opened: int = 0

    def state(self, files: dict[str, bytearray]) -> int | None:
        """The number of the commit whose state the files hold; None when they hold that of none."""
        for name in (MAIN, f"{MAIN}-wal", f"{MAIN}-shm", f"{MAIN}-journal"):
            (self.folder / name).unlink(missing_ok=True)
        self._write(files, self.folder)
        self.opened += 1
        connection = apsw.Connection(str(self.folder / MAIN))
        # What is looked at here is thrown away, so nothing of it need reach a disk.
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        try:
            connection.execute("PRAGMA synchronous=OFF")
            check = connection.execute("PRAGMA integrity_check").get
            foreign = connection.execute("PRAGMA foreign_key_check").get
            if check != "ok" or foreign is not None:
                self.flaws.append(f"integrity_check: {check}; foreign_key_check: {foreign}")
            found = state_of(connection)
        except (apsw.Error, UnicodeDecodeError) as error:
            self.flaws.append(repr(error))
            return None
        finally:
            connection.close()
        return self.states.index(found) if found in self.states else None

    def keep(self, files: dict[str, bytearray], number: int) -> None:
        """Leaves the files for the caller, to be opened by the service."""
        folder = self.kept / str(number)
        folder.mkdir(parents=True)
        self._write(files, folder)

    @staticmethod
    def _write(files: dict[str, bytearray], folder: Path) -> None:
        for name, content in files.items():
            (folder / name).write_bytes(content)


def cut_everywhere(run: Run, judge: Judge, *, every: int, seeds: int) -> dict[str, Any]:
    """Cuts after each operation: with all loose writes lost, and after each `every`-th with parts of them kept.

    A cut is a loss when a commit that had returned is gone, and half applied when no commit left the database so.
    """
    shadow, committed, seen = Shadow(), 0, (-1, None)
    told = dict.fromkeys(COUNTED, 0)
    to_keep = deque(range(0, len(run.notes), max(1, len(run.notes) // MOST_KEPT)))
    for number, note in enumerate(run.notes):
        shadow.take(note)
        committed += note[0] == "commit"
        told["syncs"] += note[0] == "sync"
        told["written_back"] += note[:2] == ("sync", MAIN)
        told["writes"] += note[0] == "write"
        if seen[0] != shadow.version:
            seen = (shadow.version, judge.state(shadow.synced))
        found = [seen[1]]
        if number % every == 0 and any(shadow.loose.values()):
            torn = [shadow.torn(random.Random(f"{number}/{seed}")) for seed in range(seeds)]
            told["torn"] += seeds
            found += [judge.state(files) for files in torn]
            if to_keep and number >= to_keep[0]:
                to_keep.popleft()
                judge.keep(torn[0], number)
        told["cuts"] += len(found)
        for state in found:
            lost = 0 if state is None else committed - state
            told["half_applied"] += state is None or state > committed + 1
            told["lost_cuts"] += lost > 0
            told["most_lost"] = max(told["most_lost"], lost)
    return {**told, "commits": committed, "opened": judge.opened, "flaws": judge.flaws[:5]}


def main() -> None:
    """Reads {connections, folder, every, seeds}; leaves torn images in the folder's `kept`, prints what it found."""
    asked = json.load(sys.stdin)
    folder = Path(asked["folder"])
    live, images, kept = (folder / name for name in ("live", "images", "kept"))
    for made in (live, images, kept):
        made.mkdir(parents=True)
    (live / MAIN).touch()
    run = replayed(live / MAIN, asked["connections"])
    judge = Judge(images, run.states, kept)
    found = cut_everywhere(run, judge, every=asked["every"], seeds=asked["seeds"])
    print(json.dumps({"sqlite": apsw.sqlite_lib_version(), **found}))


if __name__ == "__main__":
    main()
