"""Whose is this device? Its own word, or that of the retailer's server, which alone can make one of two shoppers."""

from m2s.app.inputs import Pivots
from m2s.app.opposition import heed_opposition
from m2s.app.pivots import Written, country_of, kept_as, write_pivots
from m2s.app.ports import Records
from m2s.app.rows import DeviceRow
from m2s.app.shoppers import Ground, Moves
from m2s.core.base.errors import Conflict, Invalid, NotFound, Problem

_OF_ANOTHER = "this is another customer's; leave it out"


class Identify:
    """Takes what is said of whose a device is."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def identify(self, device: DeviceRow, pivots: Pivots, *, vouched: bool) -> None:
        """Keeps the pivot ids, and a phone number as that to which SMS go, with the country that it tells.

        Where the retailer's server vouches for them, exact matches join shoppers; a device that has changed hands
        moves alone. From a device alone, what another shopper has changes nothing.
        Raises Invalid for what is no pivot id, Conflict for one of another customer: nothing is changed then.
        """
        written = write_pivots(pivots, self._ground.country())
        problems = list(written.problems)
        if not written.ids and not problems:
            detail = "give one at least of customer_id, loyalty_id, phone, email"
            problems = [Problem("", "missing", detail)]
        if problems:
            raise Invalid("the shopper cannot be identified by this", problems=problems)
        self._ground.database.write(
            lambda records: self._take(records, device.id, written, vouched=vouched), then=self._ground.moved
        )

    def _take(self, records: Records, device_id: str, written: Written, *, vouched: bool) -> Moves:
        device = records.devices.device(device_id)
        if device is None:
            raise NotFound(f"there is no device {device_id!r}")
        pivots = kept_as(written, self._ground.key(records))
        shoppers = self._ground.shoppers(records, source="server" if vouched else "device")
        shoppers.look_up(pivots, [device.shopper_id])
        reached = device.shopper_id
        if vouched:
            found = shoppers.of_device(device, pivots)
            if found.left_out:
                problems = [Problem(f"/{kind}", "pivot_conflict", _OF_ANOTHER) for kind in found.left_out]
                raise Conflict("these cannot be one person's", code="pivot_conflict", problems=problems)
            reached = found.shopper_id
        kept = set(written.ids) if vouched else shoppers.claim(device, pivots)
        moves = shoppers.close()
        if written.phone is not None and "phone" in kept:
            records.devices.set_phone(reached, written.phone, country=country_of(written.phone))
            heed_opposition(records, reached, written.phone)
        return moves
