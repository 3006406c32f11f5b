"""What does a service need before phones come? The stores of the scenario, and keys for the app and the tills."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import httpx2

from beacons.sim.client import Api, ServiceRefused
from beacons.sim.world import store_id_of


@contextmanager
def opened(client: httpx2.Client, admin_key: str, *, stores: Mapping[str, Any]) -> Iterator[Api]:
    """The service, ready for phones and tills. Stores that it has already stay as they are.

    The keys that this takes are made with the admin's and revoked in the end. Raises ServiceRefused.
    """
    office = _BackOffice(client, admin_key)
    try:
        manager = office.key("manager")
        known = {feature["id"] for feature in office.call("GET", "/v1/stores", manager)["features"]}
        missing = [feature for feature in stores["features"] if store_id_of(feature) not in known]
        if missing:
            _publish(office, manager, missing, others=len(known))
        sdk_key = office.key("sdk")
        tills = {store_id: office.key("till", store_id) for store_id in map(store_id_of, stores["features"])}
        yield Api(client, sdk_key=sdk_key, till_keys=tills)
    finally:
        office.revoke_keys()


def _publish(
    office: "_BackOffice", manager: str, missing: Sequence[Mapping[str, Any]], *, others: int
) -> None:
    try:
        office.call("PUT", "/v1/stores", manager, json={"type": "FeatureCollection", "features": missing})
    except ServiceRefused as error:
        if not others:
            raise
        raise ServiceRefused(
            f"the stores of the scenario beside the {others} that it has; take a service of its own: {error}"
        ) from None


class _BackOffice:
    """Requests in the name of the admin; remembers the keys that it made."""

    def __init__(self, client: httpx2.Client, admin_key: str) -> None:
        self._client = client
        self._admin_key = admin_key
        self._made: list[str] = []

    def key(self, role: str, store_id: str | None = None) -> str:
        asked = {"role": role} if store_id is None else {"role": role, "store_id": store_id}
        answer = self.call("POST", "/v1/keys", self._admin_key, json=asked)
        self._made.append(answer["key_id"])
        text: str = answer["key"]
        return text

    def revoke_keys(self) -> None:
        for key_id in self._made:
            self.call("DELETE", f"/v1/keys/{key_id}", self._admin_key)

    def call(self, method: str, path: str, key: str, *, json: Any = None) -> Any:
        answer = self._client.request(method, path, json=json, headers={"Authorization": f"Bearer {key}"})
        if not answer.is_success:
            raise ServiceRefused(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content else {}
