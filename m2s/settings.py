"""How is this installation set up? Every setting, typed, with its limits and what it is when nobody says."""

import re
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from campaigns.facts import PressureRule
from campaigns.laws import PROFILES, profile
from campaigns.model import Channel, Money
from campaigns.pressure import pressure_rule
from campaigns.problems import suggestion
from campaigns.smslaw import SmsRules, sender_flaw, text_flaws
from m2s.core.delivery.outward import Outward

PREFIX, DELIMITER = "M2S_", "__"
"""How the variables that set a setting begin, and what parts a section from its key."""
_PLATFORMS = frozenset({"ios", "android"})
_PRICE = re.compile(r"(\d{1,6}(?:\.\d{1,6})?) ([A-Z]{3})")


class WebhookSettings(BaseModel):
    """Where the `webhook` channel posts, signed by Standard Webhooks with a `whsec_…` secret."""

    model_config = ConfigDict(extra="forbid")

    url: str
    secret: str


class ChannelSettings(BaseModel):
    """Which adapter carries each channel, or `push` on each platform; a channel without one is not offered.

    Any other section has the options of the adapter of its name, which are read where the adapter is made.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, dict[str, Any]] = Field(init=False)

    push: str | dict[str, str] | None = "console"
    sms: str | None = "console"
    webhook: WebhookSettings | None = None

    @field_validator("push", mode="before")
    @classmethod
    def _names_adapters(cls, value: object) -> object:
        named = list(value.values()) if isinstance(value, dict) else [value]
        platforms = set(value) if isinstance(value, dict) else set()
        if not platforms <= _PLATFORMS or not all(isinstance(name, str | None) for name in named):
            raise ValueError('name an adapter, or one for each platform: {ios = "apns", android = "fcm"}')
        return value

    @property
    def chosen(self) -> dict[str, str | dict[str, str]]:
        """The adapter of each channel that is offered; the channel `webhook` has its section for it."""
        webhook = "webhook" if self.webhook is not None else None
        named = {"push": self.push, "sms": self.sms, "webhook": webhook}
        return {channel: adapter for channel, adapter in named.items() if adapter}

    @property
    def options(self) -> dict[str, dict[str, Any]]:
        """The options of each adapter that has a section."""
        own = {"webhook": self.webhook.model_dump()} if self.webhook is not None else {}
        return {**(self.__pydantic_extra__ or {}), **own}

    @property
    def sms_sender(self) -> str | None:
        """From whom SMS come, where the section of their adapter says so."""
        sender = self.options.get(self.sms or "", {}).get("sender")
        return sender if isinstance(sender, str) else None


class RateSettings(BaseModel):
    """How many calls a second the provider of each channel allows; none is no limit."""

    model_config = ConfigDict(extra="forbid")

    push: float | None = Field(default=None, gt=0)
    sms: float | None = Field(default=None, gt=0)
    webhook: float | None = Field(default=None, gt=0)


class PriceSettings(BaseModel):
    """What a push, and each part of an SMS, costs; campaigns with a budget of money need them."""

    model_config = ConfigDict(extra="forbid")

    push: str | None = None
    sms_part: str | None = None

    @field_validator("push", "sms_part")
    @classmethod
    def _money_can_be_read(cls, text: str | None) -> str | None:
        if text is not None:
            _price(text)
        return text

    @property
    def by_channel(self) -> dict[Channel, Money]:
        """The prices that there are."""
        written = {Channel.PUSH: self.push, Channel.SMS: self.sms_part}
        return {channel: _price(text) for channel, text in written.items() if text is not None}


def _price(text: str) -> Money:
    """A price, which unlike what shoppers are told may have parts of a cent."""
    found = _PRICE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a price; write an amount and a currency, as in 0.045 EUR")
    return Money(Decimal(found[1]), found[2])


class DeliverySettings(BaseModel):
    """How fast messages leave."""

    model_config = ConfigDict(extra="forbid")

    calls_at_once: int = Field(default=8, ge=1, le=8)
    rate_per_s: RateSettings = RateSettings()

    @property
    def rates(self) -> dict[str, float]:
        """Calls a second by channel, where there is a limit."""
        rates: dict[str, float] = self.rate_per_s.model_dump(exclude_none=True)
        return rates


class Settings(BaseSettings):
    """The settings of one installation."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter=DELIMITER, extra="forbid")

    database_url: str = Field(default="sqlite:///m2s.sqlite3", description="where everything is kept")
    mode: Literal["test", "production"] = Field(
        default="test", description="outside of `production` nothing is sent beyond this machine"
    )
    host: str = Field(default="127.0.0.1", description="the address to listen on")
    port: int = Field(default=8000, ge=0, le=65_535, description="the port to listen on; 0 takes a free one")
    max_connections: int = Field(
        default=800, ge=16, description="connections at a time; more cost those that wait longest theirs"
    )
    max_waiting_sightings: int = Field(
        default=20_000, ge=500, description="sightings that may wait for a commit; more are answered 503"
    )
    dedupe_max_ids: int = Field(
        default=10_000_000,
        ge=1_000,
        le=1_000_000_000,
        description="sightings of the last days remembered to tell repeats, 40 bytes each; past it 503 is answered",
    )
    timezone: str | None = Field(
        default=None, description="time zone of stores that name none, e.g. Europe/Paris"
    )
    universal_holdout: float = Field(
        default=0.05, ge=0, le=0.5, description="share of shoppers that never get a message"
    )
    pressure: list[str] = Field(
        default=["1 per 1d", "2 per 7d", "6 per 30d"],
        description="messages a shopper may get, across campaigns; also `1 per 7d by sms`, `1 per 7d tagged promo`",
    )
    send_law: str = Field(
        default="fr-strict", description="the sending hours at home, and where a country has none of its own"
    )
    stop_number: str = Field(default="36000", description="where a shopper sends STOP; shown in SMS texts")
    sightings_kept_days: int = Field(
        default=7, ge=4, le=30, description="how long positions and signals are kept as they came"
    )
    evidence_kept_days: int = Field(
        default=396, ge=60, le=3_653, description="how long evidence, which holds no position, is kept"
    )
    webhook_networks: list[str] = Field(default=[], description="own networks with webhooks")
    webhook_ports: list[int] = Field(default=[], description="ports of webhooks beside 443")
    channels: ChannelSettings = Field(default=ChannelSettings(), validate_default=True)
    delivery: DeliverySettings = DeliverySettings()
    prices: PriceSettings = PriceSettings()

    @field_validator(
        "port",
        "universal_holdout",
        "max_connections",
        "max_waiting_sightings",
        "dedupe_max_ids",
        "sightings_kept_days",
        "evidence_kept_days",
        mode="before",
    )
    @classmethod
    def _true_is_no_number(cls, value: object) -> object:
        if isinstance(value, bool):
            raise ValueError("true and false are no numbers")
        return value

    @field_validator("timezone")
    @classmethod
    def _timezone_exists(cls, name: str | None) -> str | None:
        if name is not None and name not in (known := available_timezones()):
            near = suggestion(name, known) or "write an IANA name, such as Europe/Paris"
            raise ValueError(f"{name!r} is not a time zone; {near}")
        return name

    @field_validator("send_law")
    @classmethod
    def _law_exists(cls, name: str) -> str:
        if name not in PROFILES:
            near = suggestion(name, PROFILES) or f"there are {', '.join(sorted(PROFILES))}"
            raise ValueError(f"{name!r} is not a send law; {near}")
        return name

    @field_validator("channels")
    @classmethod
    def _sms_are_lawful(cls, channels: ChannelSettings, others: ValidationInfo) -> ChannelSettings:
        law, sender = PROFILES.get(others.data.get("send_law", "")), channels.sms_sender
        if law is None:
            return channels
        flaw = None if sender is None else sender_flaw(sender, law)
        if flaw is not None:
            raise ValueError(f"{channels.sms}: sender: {flaw.detail}; {flaw.hint}")
        stop_number = others.data.get("stop_number", "")
        for broken in text_flaws(f"{{brand}} STOP {stop_number}", SmsRules(law, sender)):
            raise ValueError(f"stop_number: {broken.detail}; {broken.hint}")
        return channels

    @field_validator("pressure")
    @classmethod
    def _rates_can_be_read(cls, texts: list[str]) -> list[str]:
        for text in texts:
            pressure_rule(text)
        return texts

    @property
    def pressure_rules(self) -> tuple[PressureRule, ...]:
        """The pressure limits as rules."""
        return tuple(pressure_rule(text) for text in self.pressure)

    @property
    def outward(self) -> Outward:
        """Where webhooks may be besides port 443 of the public internet."""
        return Outward.of(self.webhook_networks, self.webhook_ports)

    @property
    def sms_rules(self) -> SmsRules:
        """The law that SMS texts are held against, and from whom they come."""
        return SmsRules(profile(self.send_law), self.channels.sms_sender)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Options first, then `M2S_…` variables, then the file."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)
