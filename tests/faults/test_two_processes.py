"""May two processes own one file? Only one, whichever comes first, and the other says so in one sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx2

from tests.faults.process import SERVE, Process
from tests.faults.site import Site, furnish
from tests.faults.size import times

ROUNDS = times(1, nightly=30)


def second(site: Site) -> tuple[int, str]:
    """The exit code and the words of another server of the same file on another port."""
    ended = subprocess.run(
        [sys.executable, *SERVE, "--port", "0"],
        env=site.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.stdout == ""
    return ended.returncode, ended.stderr


def test_the_second_server_of_a_file_refuses_with_one_sentence_until_the_first_is_gone(
    tmp_path: Path,
) -> None:
    site = furnish(tmp_path, seed=1, devices=1, coupons=0)
    for _ in range(ROUNDS):
        with Process(site) as first:
            first.wait_until_listening()
            code, words = second(site)
            assert code == 1
            assert words.count("\n") == 1
            assert f"process {first.pid} at {site.url} owns this database" in words
            assert "one server at a time: stop that one first" in words
            assert httpx2.get(f"{site.url}/readyz").status_code == 200
            first.kill()


def test_of_two_servers_started_at_once_one_serves_and_one_refuses(tmp_path: Path) -> None:
    site = furnish(tmp_path, seed=1, devices=1, coupons=0)
    for _ in range(ROUNDS):
        both = [
            subprocess.Popen(
                [sys.executable, *SERVE, "--port", "0"],
                env=site.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        try:
            # The first line of each: the address of the one that serves, nothing of the one that ends.
            lines = [process.stdout.readline() for process in both if process.stdout is not None]
            assert sorted(bool(line) for line in lines) == [False, True], lines
            refused, serving = sorted(both, key=lambda process: bool(lines[both.index(process)]))
            words = refused.communicate(timeout=60)[1]
            assert refused.returncode == 1
            assert words.count("\n") == 1
            assert "one server at a time" in words
            assert httpx2.get(f"{lines[both.index(serving)].split()[-1]}/readyz").status_code == 200
        finally:
            for process in both:
                process.kill()
                process.communicate()
