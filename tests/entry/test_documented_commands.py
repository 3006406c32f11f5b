"""Does the walk-through of the documents work as it is written? Its shell blocks are run against a real server."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys

import pytest

from tests.data import ROOT, required
from tests.house.documents import FENCE

MARK = "=== block "
OPERATORS = ("Start", "While the server runs")
MANAGERS = ("Check, apply, pause, stop",)
REFUSED = re.compile(r"urn:m2s:problem:[\w-]+")


def sections(document: str, *titles: str) -> str:
    """The named second-level sections of a document in order, or all of it."""
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    parts = re.split(r"^## ", text, flags=re.MULTILINE)
    chosen = [part for part in parts if not titles or part.split("\n")[0] in titles]
    assert len(chosen) >= len(titles), f"{document} has no section for one of {titles}"
    return "".join(chosen)


def script(port: int) -> str:
    """The walk-through as one shell script: named JSON blocks become files, shell blocks are run."""
    managers = [fence["body"] for fence in FENCE.finditer(sections("campaign-managers.md", *MANAGERS))]
    over_http = "".join(f"```sh\n{body}```\n" for body in managers if body.startswith("curl"))
    text = sections("operators.md", *OPERATORS) + over_http
    text += sections("shoppers.md") + sections("app-developers.md")
    lines = ["set -eu"]
    for number, fence in enumerate(FENCE.finditer(text)):
        head = fence[0].split("\n")[0]
        if fence["language"] == "json" and (name := head.removeprefix("```json").strip()):
            lines.append(f"cat > {name} <<'END_OF_FILE'\n{fence['body']}END_OF_FILE")
        elif fence["language"] == "sh":
            body = fence["body"].replace("127.0.0.1:8000", f"127.0.0.1:{port}")
            body = body.replace("m2s serve &\n", "m2s serve &\ntrap 'kill $!; wait $!' EXIT\n")
            lines.append(f"printf '\\n{MARK}{number}\\n'\n{body}")
    return "\n".join(lines)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Everything that the walk-through printed."""
    if shutil.which("curl") is None:
        if required("curl"):
            pytest.fail("the documented commands need curl")
        pytest.skip("there is no curl to run the documented commands with")
    folder = tmp_path_factory.mktemp("walk")
    command = folder / "bin" / "m2s"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m m2s "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    port = free_port()
    surroundings = {
        **{name: value for name, value in os.environ.items() if not name.startswith("M2S_")},
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "M2S_PORT": str(port),
        "COLUMNS": "200",
    }
    process = subprocess.Popen(
        ["sh", "-c", script(port)],
        cwd=folder,
        env=surroundings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        printed, _ = process.communicate(timeout=180)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        printed, _ = process.communicate()
    assert process.returncode == 0, printed
    return printed


def test_the_walk_through_ends_with_a_visit_in_the_report(walked: str) -> None:
    last = walked.rsplit(MARK, 1)[1]
    assert re.search(r"store_id +name +passers_by +visits ", last)
    assert re.search(r"example-kiosk +Example Kiosk +0 +1 ", last)


def test_every_sighting_gets_the_verdict_that_the_document_shows(walked: str) -> None:
    assert '"accepted":5,"away":1,"duplicates":0,"rejected":[]' in walked
    assert '"type":"visit.started"' in walked


def test_baskets_customers_and_research_are_taken_once(walked: str) -> None:
    assert walked.count('"accepted":2,"duplicates":0,"rejected":[],"left_out":[]') == 2
    for told in ("2 baskets taken\n", "0 baskets taken, 2 there already\n", "2 customers taken\n"):
        assert told in walked


def test_nothing_is_refused_but_the_coupon_that_nobody_was_given(walked: str) -> None:
    assert REFUSED.findall(walked) == ["urn:m2s:problem:not_found"]
    assert "there is no coupon PT7T-4RX8-4JBX" in walked


def test_explain_says_why_no_message_went_out(walked: str) -> None:
    assert "The occasion was 12 minutes" in walked
    assert "the limit is 5 minutes, so it came too late" in walked


def test_the_server_says_where_it_listens_and_that_it_stopped(walked: str) -> None:
    assert "m2s listens on http://127.0.0.1:" in walked
    assert "everything that was accepted is kept" in walked
