"""How is this installation set up? Every setting, typed, from `m2s.toml`, overridden by `M2S_…` variables.

An unknown key is an error, so that a misspelt setting is not silently without effect.
"""

import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from campaigns.model import Rate
from campaigns.values import rate
from m2s.core.base.errors import Invalid, Problem


class WebhookSettings(BaseModel):
    """Where the `webhook` channel posts, signed by Standard Webhooks with a `whsec_…` secret."""

    model_config = ConfigDict(extra="forbid")

    url: str
    secret: str


class ChannelSettings(BaseModel):
    """Which adapter carries each channel; a channel without one is not offered."""

    model_config = ConfigDict(extra="forbid")

    push: str | None = "console"
    sms: str | None = "console"
    webhook: WebhookSettings | None = None


class Settings(BaseSettings):
    """The settings of one installation."""

    model_config = SettingsConfigDict(env_prefix="M2S_", env_nested_delimiter="__", extra="forbid")

    database_url: str = Field(default="sqlite:///m2s.sqlite3", description="where everything is kept")
    host: str = Field(default="127.0.0.1", description="the address to listen on")
    port: int = Field(default=8000, ge=0, le=65_535, description="the port to listen on; 0 takes a free one")
    timezone: str | None = Field(
        default=None, description="time zone of stores that name none, e.g. Europe/Paris"
    )
    universal_holdout: float = Field(
        default=0.05, ge=0, le=0.5, description="share of shoppers that never get a message"
    )
    pressure: list[str] = Field(
        default=["1 per 1d", "2 per 7d", "6 per 30d"],
        description="messages a shopper may get, across campaigns and channels",
    )
    stop_number: str = Field(default="36000", description="where a shopper sends STOP; shown in SMS texts")
    channels: ChannelSettings = ChannelSettings()

    @field_validator("pressure")
    @classmethod
    def _rates_can_be_read(cls, texts: list[str]) -> list[str]:
        for text in texts:
            rate(text)
        return texts

    @property
    def pressure_rates(self) -> tuple[Rate, ...]:
        """The pressure limits as rates."""
        return tuple(rate(text) for text in self.pressure)

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


def load_settings(file: Path | None = None, **options: Any) -> Settings:
    """The settings of a file (`m2s.toml` here, when it exists and none is named), variables and options.

    Options that are None do not count. Raises Invalid with one problem per setting that is wrong or unknown.
    """
    if file is not None and not file.is_file():
        raise Invalid(f"there is no configuration file {file}; `m2s init` writes one")
    chosen = file or Path("m2s.toml")

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=chosen)

    try:
        return FromFile(**{name: value for name, value in options.items() if value is not None})
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"{chosen}: {error}") from None
    except ValidationError as error:
        problems = [
            Problem(".".join(str(part) for part in found["loc"]), "bad_setting", found["msg"])
            for found in error.errors()
        ]
        detail = "; ".join(f"{problem.pointer}: {problem.detail}" for problem in problems)
        raise Invalid(f"settings ({chosen}, M2S_… variables): {detail}", problems=problems) from None
