"""Who carries a push to which kind of phone? One adapter for each platform, as one channel."""

from collections.abc import Collection, Mapping

from m2s.app.channel import Address, ChannelAdapter, Refused, SendResult
from m2s.app.rows import CouponRow, MessageRow


class ByPlatform:
    """Hands each message to the adapter of the phone's platform; `names` has the adapters' names by platform."""

    def __init__(self, adapters: Mapping[str, ChannelAdapter], names: Mapping[str, str]) -> None:
        self._adapters = adapters
        self._names = names

    @property
    def providers(self) -> Collection[str]:
        """The adapters' names."""
        return sorted(set(self._names.values()))

    def provider_of(self, address: Address) -> str:
        """The adapter of the phone's platform; where it has none, another, by which nothing is called."""
        return self._names.get(address.platform or "", self._names[min(self._names)])

    def send(self, message: MessageRow, address: Address, coupon: CouponRow | None) -> SendResult:
        """What the platform's adapter makes of it; refused where the platform has none."""
        adapter = self._adapters.get(address.platform or "")
        if adapter is None:
            detail = f"no adapter is configured for the platform {address.platform}"
            return Refused("no_adapter", detail, asked=False)
        return adapter.send(message, address, coupon)
