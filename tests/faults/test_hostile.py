"""What do honest clients feel of 500 slow connections, bombs, deep JSON and huge bodies? And does memory grow?"""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from statistics import median, quantiles

from tests.data import ROOT
from tests.faults.process import Process
from tests.faults.site import LONGITUDE, Site, furnish, latitude_of
from tests.faults.size import NIGHTLY, times

ROUNDS = times(1, nightly=7)
QUIET_S, HOSTILE_S = 3.0, 14.0
MOST_GROWTH_KIB = 50 * 1024
CLIENTS = 4
BATCH = 1
"""Sightings a request: few, so that the memory of what was seen is not taken for that of the attack."""
PAUSE_S = 0.005


@dataclass
class Honest:
    """A client that posts one batch after another and keeps its times; every second one connects anew each time."""

    site: Site
    number: int
    statuses: Counter[int] = field(default_factory=Counter)
    made: Iterator[int] = field(default_factory=count)

    def post_for(self, seconds: float) -> list[float]:
        """Seconds that each request took, its connection included."""
        took, until_s, connection = [], time.monotonic() + seconds, self._connect()
        while time.monotonic() < until_s:
            began_s = time.perf_counter()
            if self.number % 2:
                connection.close()
            connection.request("POST", "/v1/sightings", self._batch(), self._headers())
            answer = connection.getresponse()
            answer.read()
            took.append(time.perf_counter() - began_s)
            self.statuses[answer.status] += 1
            time.sleep(PAUSE_S)
        connection.close()
        return took

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.site.port, timeout=60)

    def _headers(self) -> dict[str, str]:
        token = self.site.devices[self.number].token
        return {"content-type": "application/json", "authorization": f"Bearer {token}"}

    def _batch(self) -> str:
        items = [
            {
                "id": f"{self.number}-{next(self.made)}",
                "kind": "location",
                "age_ms": 1_000 * n,
                "latitude": latitude_of(0, north_m=-1_000),
                "longitude": LONGITUDE,
                "accuracy_m": 20,
            }
            for n in range(BATCH)
        ]
        return json.dumps({"sightings": items})


@contextmanager
def hostile(site: Site) -> Iterator[Counter[str]]:
    """A process that attacks meanwhile; afterwards, what it was answered."""
    answers: Counter[str] = Counter()
    command = [sys.executable, "-m", "tests.faults.hostile", str(site.port), site.devices[-1].token]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield answers
        out, _ = process.communicate("", timeout=60)
    assert process.returncode == 0
    answers.update(json.loads(out))


def resident_kib(pid: int, line: str) -> int:
    """A line of what the system says of a process's memory, such as VmRSS, or VmHWM for the most so far."""
    found = re.search(rf"{line}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1])


def p99_ms(took: list[float]) -> float:
    """The time that 99 of 100 requests stay under."""
    return quantiles(took, n=100)[98] * 1_000


def told(figures: list[float]) -> str:
    """A median with its spread."""
    return f"{median(figures):.1f} ms ({min(figures):.1f} to {max(figures):.1f})"


def metric(site: Site, name: str) -> Counter[str]:
    """A counter of the server by the value of its label."""
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=60)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    found = re.findall(rf'^{name}{{\w+="(\w+)"}} (\S+)$', text, re.MULTILINE)
    return Counter({label: int(float(value)) for label, value in found})


def test_honest_clients_are_served_while_others_attack(tmp_path: Path) -> None:
    site = furnish(tmp_path, seed=1, coupons=0)
    honest = [Honest(site, number) for number in range(CLIENTS)]
    quiet_ms, hostile_ms, answers = [], [], Counter[str]()
    with Process(site) as server, ThreadPoolExecutor(CLIENTS) as pool:
        server.wait_until_listening()

        def measured(seconds: float) -> float:
            return p99_ms(list(chain(*pool.map(lambda client: client.post_for(seconds), honest))))

        measured(QUIET_S / 2)
        before_kib = resident_kib(server.pid, "VmRSS")
        for _ in range(ROUNDS):
            quiet_ms.append(measured(QUIET_S))
            with hostile(site) as answered:
                hostile_ms.append(measured(HOSTILE_S))
            answers += answered
        growth_kib = resident_kib(server.pid, "VmHWM") - before_kib
        cut_off = metric(site, "m2s_connections_cut_off_total")
        server.terminate()
    statuses = sum((client.statuses for client in honest), Counter[int]())
    print(
        f"p99 quiet {told(quiet_ms)}, attacked {told(hostile_ms)}; memory +{growth_kib // 1024} MiB;"
        f" honest {dict(statuses)}; hostile {dict(answers)}; cut off {dict(cut_off)}"
    )
    assert set(statuses) == {200}
    assert not {answer for answer in answers if answer.startswith("5")} - {"503"}
    assert answers["413"]
    assert answers["400"]
    assert cut_off["head"] >= 100
    assert cut_off["body"] >= 100
    assert growth_kib <= MOST_GROWTH_KIB
    if NIGHTLY:
        assert median(hostile_ms) <= 2 * median(quiet_ms)
