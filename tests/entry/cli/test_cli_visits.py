"""`m2s visits rebuild`, as it is typed."""

from __future__ import annotations

import json
from contextlib import closing

from m2s.adapters.storage.engine import driver
from tests.app.town import Town, fix, open_town
from tests.entry.cli.conftest import Shell


def visited(shell: Shell) -> Town:
    """A database in the folder with one closed visit, one open one, and nobody who owns it."""
    town = open_town(shell.folder)
    town.furnish()
    town.post(
        town.device("ann"), fix("p0", age_s=7_200), fix("p1", age_s=6_800), fix("p2", age_s=400), fix("p3")
    )
    town.wait(minutes=11)
    town.engine.stop()
    (shell.folder / "m2s.toml").write_text(f'database_url = "sqlite:///{town.path}"\n')
    return town


def test_a_rebuild_says_that_nothing_was_wrong(shell: Shell) -> None:
    town = visited(shell)
    before = town.rows("SELECT * FROM visits ORDER BY id")
    assert len(before) == 2
    told = shell.run("visits", "rebuild").stdout
    assert told == "2 stays told by 4 of evidence: 0 changed, 0 dropped\n"
    assert town.rows("SELECT * FROM visits ORDER BY id") == before


def test_a_rebuild_says_what_was_wrong(shell: Shell) -> None:
    town = visited(shell)
    before = town.rows("SELECT * FROM visits ORDER BY id")
    with closing(driver().connect(town.path)) as connection:
        connection.execute("UPDATE visits SET id = 'vis_0' WHERE end_at = (SELECT max(end_at) FROM visits)")
        connection.commit()
    told = json.loads(shell.run("visits", "rebuild", "--json").stdout)
    assert told == {"evidence": 4, "stays": 2, "changed": 1, "dropped": 1}
    assert town.rows("SELECT * FROM visits ORDER BY id") == before
