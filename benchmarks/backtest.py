"""How long does it take to play a million pieces of evidence again? Each stay brings up an offer."""

import time
from datetime import timedelta
from pathlib import Path

from benchmarks.measured import Goal, Row, absolute
from benchmarks.stored import WEEK_MS, store_evidence
from benchmarks.workload import make_stores, opened
from campaigns.reader import read_campaign
from m2s.bootstrap import making_much

_EVIDENCE = 1_000_000
_TRIED = """
campaign: tried
name: Tried
stores: {all: true}
offers:
  - offer: inside
    trigger: {enter: premises}
    channels: [push]
    message: {push: {title: {en: "Hello"}, body: {en: "Welcome to {store_name}"}}}
"""


def backtest(folder: Path, *, seed: int) -> Row:
    """A week of a million pieces of evidence, 200 000 stays of 20 000 shoppers at 10 000 stores."""
    path = folder / "backtest.sqlite3"
    engine = opened(path, make_stores(seed))
    try:
        now = engine.clock.now()
        store_evidence(path, _EVIDENCE, until=now)
        since = now - timedelta(milliseconds=WEEK_MS)
        tried = engine.backtest.scenario("tried", [read_campaign(_TRIED)], since=since, until=now)
        cpu_s, began_s = time.process_time(), time.perf_counter()
        with making_much():
            played = engine.backtest.play(tried, since=since, until=now)
        wall_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    finally:
        engine.stop()
    (row,) = played.tally.campaigns(played.used)
    decisions = sum(int(str(row[name])) for name in ("would_send", "would_hold", "suppressed"))
    return absolute(
        "backtest of 1 M pieces of evidence",
        [wall_s],
        goal=Goal(60, at_most=True),
        unit="s",
        beside={"CPU s": cpu_s, "pieces of evidence": played.evidence, "decisions": decisions},
    )
