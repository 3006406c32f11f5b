"""Who carries a push to which kind of phone? One adapter for each platform, as one channel."""

from collections.abc import Mapping

from m2s.app.channel import Address, ChannelAdapter, Refused, SendResult
from m2s.app.rows import CouponRow, MessageRow


class ByPlatform:
    """Hands each message to the adapter of the phone's platform."""

    def __init__(self, adapters: Mapping[str, ChannelAdapter]) -> None:
        self._adapters = adapters

    def send(self, message: MessageRow, address: Address, coupon: CouponRow | None) -> SendResult:
        """What the platform's adapter makes of it; refused where the platform has none."""
        adapter = self._adapters.get(address.platform or "")
        if adapter is None:
            return Refused("no_adapter", f"no adapter is configured for the platform {address.platform}")
        return adapter.send(message, address, coupon)
