"""How fast do messages leave, held against the bare client in a loop? A local provider in a process of its own."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Self

import httpx2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from benchmarks.delivery_outbox import Outbox
from benchmarks.measured import ROUNDS, Goal, Round, Row, absolute, compared, in_turns
from m2s.app.deliver import Deliver

MESSAGES = 2_000
"""How many leave in a round."""
AT_ONCE = 8
"""Calls at once, ours and the bare client's: the product's own bound."""
_GOAL = Goal(0.6)
_TEXT = "Come to Store 17"


class Provider:
    """A provider's process."""

    def __init__(self, kind: str, *, port: int = 0) -> None:
        command = [sys.executable, "-m", "benchmarks.delivery_server", kind, str(port)]
        self._process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.port = int(self._line())
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)

    def taken(self) -> list[str]:
        """What it took since it was asked before."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        found: list[str] = json.loads(self._line())
        return found

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the provider ended with exit code {self._process.wait(timeout=60)}")
        return line


Send = Callable[[httpx2.AsyncClient, int], Coroutine[Any, Any, httpx2.Response]]
"""One request of the bare client, by its number."""


class Bare:
    """The client library alone: the same requests, as many at once, one loop, and nothing kept."""

    def __init__(self, send: Send, *, http2: bool) -> None:
        self._send = send
        self._http2 = http2
        self._count = 0

    def round(self) -> Round:
        """The work of one round."""

        def work() -> int:
            asyncio.run(self._all())
            return MESSAGES

        return work

    async def _all(self) -> None:
        limits = httpx2.Limits(max_connections=1 if self._http2 else AT_ONCE)
        left = iter(range(self._count, self._count + MESSAGES))
        self._count += MESSAGES
        async with httpx2.AsyncClient(http1=not self._http2, http2=self._http2, limits=limits) as client:

            async def some() -> None:
                for number in left:
                    answer = await self._send(client, number)
                    assert answer.is_success

            await asyncio.gather(*(some() for _ in range(AT_ONCE)))


def apns(folder: Path, url: str) -> Mapping[str, Any]:
    """The settings of pushes by Apple's protocol to an address."""
    key = folder / "key.p8"
    made = ec.generate_private_key(ec.SECP256R1())
    key.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    own = {"key_file": str(key), "key_id": "K", "team_id": "T", "topic": "example.shop", "base_url": url}
    return {"push": "apns", "apns": own}


def push(folder: Path, *, seed: int) -> Sequence[Row]:
    """Apple's protocol, over one HTTP/2 connection."""

    def bare(url: str) -> Bare:
        payload = {
            "aps": {"alert": {"title": "Hello", "body": _TEXT}, "sound": "default"},
            "m2s": {
                "message_id": "msg_01KA0000000000000000000000",
                "campaign_id": "bench",
                "offer_id": "near",
                "store_id": "s17",
                "valid_until": "2026-11-03T17:00:00Z",
            },
        }
        fixed = {
            "authorization": f"bearer {'t' * 180}",
            "apns-topic": "example.shop",
            "content-type": "application/json",
            "accept-encoding": "identity",
            "apns-expiration": "1793725200",
            "apns-priority": "10",
            "apns-push-type": "alert",
        }

        def send(client: httpx2.AsyncClient, number: int) -> Coroutine[Any, Any, httpx2.Response]:
            own = {
                "apns-id": f"00000000-0000-0000-0000-{number:012}",
                "apns-collapse-id": f"msg_01KA{number:022}",
            }
            body = json.dumps(payload).encode()
            return client.post(f"{url}/3/device/{number:064x}", headers={**own, **fixed}, content=body)

        return Bare(send, http2=True)

    return _rows(folder, "push", lambda url: apns(folder, url), bare, seed=seed)


def sms(folder: Path, *, seed: int) -> Sequence[Row]:
    """A gateway over HTTP/1.1, a connection for each call that runs."""

    def channels(url: str) -> Mapping[str, Any]:
        body = (
            '{"to": "{phone}", "from": "{sender}", "text": "{text}", "ref": "{message_id}", "ttl": {valid_s}}'
        )
        own = {
            "url": f"{url}/messages",
            "headers": {"authorization": "Bearer k"},
            "sender": "SHOP",
            "body": body,
            "id": "messages.0.id",
        }
        return {"sms": "gateway", "gateway": own}

    def bare(url: str) -> Bare:
        headers = {
            "authorization": "Bearer k",
            "content-type": "application/json",
            "accept-encoding": "identity",
        }

        def send(client: httpx2.AsyncClient, number: int) -> Coroutine[Any, Any, httpx2.Response]:
            asked = {"to": f"+336{number:08}", "from": "SHOP", "text": _TEXT}
            body = json.dumps({**asked, "ref": f"msg_01KA{number:022}", "ttl": 28_800}).encode()
            return client.post(f"{url}/messages", headers=headers, content=body)

        return Bare(send, http2=False)

    return _rows(folder, "sms", channels, bare, seed=seed)


def _rows(
    folder: Path,
    channel: str,
    channels: Callable[[str], Mapping[str, Any]],
    bare: Callable[[str], Bare],
    *,
    seed: int,
) -> Sequence[Row]:
    people = MESSAGES * (ROUNDS + 2)
    with Provider(channel) as provider:
        outbox = Outbox(
            folder / "outbox.sqlite3",
            seed=seed,
            channel=channel,
            people=people,
            channels=channels(provider.url),
        )
        with closing(outbox):
            ours, floor = in_turns(lambda: _drained(outbox, outbox.engine.deliver), bare(provider.url).round)
            provider.taken()
            doubled = _twice(outbox, provider)
    return [
        compared(f"messages by {channel}, against the bare client", ours, floor, goal=_GOAL, unit="messages"),
        absolute(
            f"messages by {channel} that two workers sent twice",
            [doubled],
            goal=Goal(0, at_most=True),
            unit="messages",
        ),
    ]


def _drained(outbox: Outbox, worker: Deliver) -> Round:
    outbox.plan(MESSAGES)

    def work() -> int:
        drained = worker.drain()
        assert drained == MESSAGES
        return drained

    return work


def _twice(outbox: Outbox, provider: Provider) -> float:
    """How many messages the provider took more than once from two workers at one outbox."""
    planned = outbox.plan(MESSAGES)
    workers = [outbox.engine.deliver, outbox.another_worker()]
    with ThreadPoolExecutor(len(workers)) as threads:
        counts = list(threads.map(Deliver.drain, workers))
    assert min(counts) > 0
    taken = provider.taken()
    assert set(taken) == set(planned)
    return float(len(taken) - len(planned))
