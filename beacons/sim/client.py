"""How do simulated phones and tills speak to the service? Over HTTP only, as any app would."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import httpx2

from beacons.sim.phone import Circle, Watch
from beacons.sim.world import Point

_MAY_RETRY = frozenset({429, 500, 502, 503, 504})


class ServiceRefused(Exception):
    """An answer that no phone or till can use; the message names the request and the answer."""


@dataclass(frozen=True, slots=True)
class Registration:
    """A registered phone: its id and the token that it sends from now on."""

    device_id: str
    token: str


class Service(Protocol):
    """What phones and tills ask of a service; `Api` is one over HTTP, `Recorder` a file."""

    def register(self) -> Registration: ...
    def describe(self, token: str, facts: Mapping[str, Any]) -> None: ...
    def identify(self, token: str, phone: str) -> None: ...
    def consent(self, token: str, consents: list[dict[str, Any]]) -> None: ...
    def watch(self, token: str, where: tuple[float, float], *, at: Point, platform: str) -> Watch: ...
    def sightings(self, token: str, body: Mapping[str, Any]) -> Mapping[str, Any] | None: ...
    def offers(self, token: str) -> list[dict[str, Any]]: ...
    def redeem(self, store_id: str, *, code: str, basket_id: str, amount: str, currency: str) -> bool: ...


class Api:
    """The routes that phones and tills use. `till_keys` holds one key per store id; requests are counted."""

    def __init__(self, client: httpx2.Client, *, sdk_key: str, till_keys: Mapping[str, str]) -> None:
        self._client = client
        self._sdk_key = sdk_key
        self._till_keys = till_keys
        self.requests = 0

    def register(self) -> Registration:
        """Register a new installation of the app."""
        answer = self._call("POST", "/v1/devices", self._sdk_key, json={})
        return Registration(answer["device_id"], answer["device_token"])

    def describe(self, token: str, facts: Mapping[str, Any]) -> None:
        """Tell push token, platform, language and time zone."""
        self._call("PATCH", "/v1/devices/me", token, json=facts)

    def identify(self, token: str, phone: str) -> None:
        """Tell the shopper's phone number (E.164), by which her country is known."""
        self._call("POST", "/v1/devices/me/identify", token, json={"phone": phone})

    def consent(self, token: str, consents: list[dict[str, Any]]) -> None:
        """Record what the shopper agreed to."""
        self._call("PUT", "/v1/devices/me/consents", token, json={"consents": consents})

    def watch(self, token: str, where: tuple[float, float], *, at: Point, platform: str) -> Watch:
        """Return what to watch around a position: latitude and longitude, and the same in metres."""
        asked = f"?latitude={where[0]:.6f}&longitude={where[1]:.6f}&platform={platform}"
        answer = self._call("GET", f"/v1/regions{asked}", token)
        return Watch(
            {
                one["id"]: Circle(one["latitude"], one["longitude"], one["radius_m"])
                for one in answer["regions"]
            },
            {(one["uuid"], one["major"]): one["id"] for one in answer.get("beacon_regions", ())},
            holds_m=answer.get("refresh_after_m", math.inf),
            asked_at=at,
        )

    def sightings(self, token: str, body: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Send a batch; None means that the phone keeps it and tries again later."""
        answer: Mapping[str, Any] | None = self._call("POST", "/v1/sightings", token, json=body, patient=True)
        return answer

    def offers(self, token: str) -> list[dict[str, Any]]:
        """Read the shopper's wallet."""
        answer: list[dict[str, Any]] = self._call("GET", "/v1/offers", token)["offers"]
        return answer

    def redeem(self, store_id: str, *, code: str, basket_id: str, amount: str, currency: str) -> bool:
        """Redeem a coupon at the till of a store; False where the till says that it cannot be used."""
        body = {
            "code": code,
            "store_id": store_id,
            "basket_id": basket_id,
            "amount": amount,
            "currency": currency,
        }
        headers = {"Idempotency-Key": basket_id}
        answer = self._send("POST", "/v1/redemptions", self._till_keys[store_id], json=body, headers=headers)
        if answer.status_code in (404, 409, 410, 422):
            return False
        self._expect_success(answer)
        return True

    def _call(self, method: str, path: str, key: str, *, json: Any = None, patient: bool = False) -> Any:
        answer = self._send(method, path, key, json=json)
        if patient and answer.status_code in _MAY_RETRY:
            return None
        self._expect_success(answer)
        return answer.json() if answer.content else {}

    def _send(
        self, method: str, path: str, key: str, *, json: Any = None, headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        self.requests += 1
        bearer = {"Authorization": f"Bearer {key}", **(headers or {})}
        return self._client.request(method, path, json=json, headers=bearer)

    @staticmethod
    def _expect_success(answer: httpx2.Response) -> None:
        if not answer.is_success:
            request = f"{answer.request.method} {answer.request.url.path}"
            raise ServiceRefused(f"{request}: {answer.status_code} {answer.text[:500]}")
