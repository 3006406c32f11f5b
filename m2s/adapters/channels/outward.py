"""How is an event posted to the retailer's own system? Signed, and to no address that may not be called.

The host is looked up at every call, all its addresses are judged, and the connection goes to one that was: a name that
leads elsewhere a moment later leads nowhere. Certificates are held against the name as ever.
"""

import asyncio
import json
import math
import socket
from collections.abc import Awaitable, Callable, Sequence

import httpx2
from standardwebhooks import Webhook

from m2s.adapters.channels.answers import retry_after_s
from m2s.adapters.channels.wire import Reply, Wire
from m2s.app.channel import CALL_LIMIT_S
from m2s.app.notify import Said
from m2s.core.base.errors import Invalid
from m2s.core.base.instants import Clock
from m2s.core.delivery.outward import Outward, Target

_MOST_BYTES = 65_536
_TOLD_CHARACTERS = 200
_MOST_CLIENTS = 32
# Servers close what rests; a connection kept for longer than they do would lose the next event.
_LIMITS = httpx2.Limits(max_connections=8, max_keepalive_connections=8, keepalive_expiry=4.0)

LookUp = Callable[[str, int], Awaitable[Sequence[str]]]


async def system_addresses(host: str, port: int) -> Sequence[str]:
    """Every address that the system knows for a host."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(info[4][0]) for info in found))


class OutwardPost:
    """Posts events to addresses that `outward` allows."""

    def __init__(
        self,
        outward: Outward,
        *,
        clock: Clock,
        look_up: LookUp = system_addresses,
        limit_s: float = CALL_LIMIT_S,
    ) -> None:
        self._outward = outward
        self._clock = clock
        self._look_up = look_up
        self._wire = Wire(loopback_only=False, limit_s=limit_s)
        self._wire.keep(self)
        self._tls = httpx2.create_ssl_context()
        self._clients: dict[Target, httpx2.AsyncClient] = {}

    def post(self, url: str, *, secrets: Sequence[str], event_id: str, body: str) -> Said:
        """Posts an event, signed with every secret; nothing that an address can do raises."""
        now = self._clock.now()
        headers = {
            "content-type": "application/json",
            "user-agent": "m2s",
            "accept-encoding": "identity",
            "webhook-id": event_id,
            "webhook-timestamp": str(math.floor(now.timestamp())),
            "webhook-signature": " ".join(Webhook(secret).sign(event_id, now, body) for secret in secrets),
        }
        try:
            target = self._outward.target(url)
        except Invalid as error:
            return Said(None, error.detail)
        return self._wire.run(
            lambda until: self._bounded(target, url, headers=headers, body=body, until=until)
        )

    def stop(self) -> None:
        """Ends every connection; nothing may be posted after."""
        self._wire.close()

    async def close(self) -> None:
        """Closes the connections; called by the wire."""
        for client in self._clients.values():
            await client.aclose()
        self._clients = {}

    async def _bounded(
        self, target: Target, url: str, *, headers: dict[str, str], body: str, until: float
    ) -> Said:
        try:
            async with asyncio.timeout_at(until):
                addresses = self._outward.checked(target, await self._look_up(target.host, target.port))
                return await self._first(target, url, addresses=addresses, headers=headers, body=body)
        except TimeoutError:
            return Said(None, "no whole answer in time")
        except Invalid as error:
            return Said(None, error.detail)
        except (httpx2.HTTPError, OSError) as error:
            return Said(None, f"{type(error).__name__} {error}".strip()[:_TOLD_CHARACTERS])

    async def _first(
        self, target: Target, url: str, *, addresses: Sequence[str], headers: dict[str, str], body: str
    ) -> Said:
        """What the first of the addresses says that can be reached."""
        for address in addresses[:-1]:
            try:
                return await self._ask(target, url, address=address, headers=headers, body=body)
            except httpx2.ConnectError:
                continue
        return await self._ask(target, url, address=addresses[-1], headers=headers, body=body)

    async def _ask(
        self, target: Target, url: str, *, address: str, headers: dict[str, str], body: str
    ) -> Said:
        client, parsed = await self._client(target), httpx2.URL(url)
        request = client.build_request(
            "POST",
            parsed.copy_with(host=address),
            headers={"host": parsed.netloc.decode(), **headers},
            content=body.encode(),
            extensions={"sni_hostname": target.host, "timeout": {}},
        )
        response = await client.send(request, stream=True)
        try:
            answer = bytearray()
            async for piece in response.aiter_raw():
                answer += piece
                if len(answer) > _MOST_BYTES:
                    break
        finally:
            await response.aclose()
        return self._said(Reply(response.status_code, dict(response.headers), bytes(answer)))

    def _said(self, reply: Reply) -> Said:
        if 200 <= reply.status < 300:
            return Said(reply.status)
        if 300 <= reply.status < 400:
            return Said(reply.status, "redirects are not followed; write the final address")
        told = reply.body.decode("utf-8", "replace")[:_TOLD_CHARACTERS]
        wait_s = retry_after_s(reply, self._clock.now()) if reply.status in (429, 503) else 0.0
        return Said(reply.status, json.dumps(told, ensure_ascii=False) if told else None, wait_s)

    async def _client(self, target: Target) -> httpx2.AsyncClient:
        """One for each host, so that no connection that was made for one name carries what is for another."""
        client = self._clients.get(target)
        if client is None:
            if len(self._clients) >= _MOST_CLIENTS:
                await self._clients.pop(next(iter(self._clients))).aclose()
            client = self._clients[target] = httpx2.AsyncClient(
                verify=self._tls, limits=_LIMITS, follow_redirects=False, trust_env=False
            )
        return client
