"""Where do the settings come from? Options first, then `M2S_…` variables, then `m2s.toml`.

An unknown key is an error and an unknown variable a warning, so that a misspelt setting is not silently without effect.
"""

import logging
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsConfigDict, SettingsError

from campaigns.problems import suggestion
from m2s.core.base.errors import Invalid, Problem
from m2s.settings import (
    DELIMITER,
    PREFIX,
    ChannelSettings,
    DeliverySettings,
    PriceSettings,
    RateSettings,
    Settings,
    WebhookSettings,
)

_SQLITE = "sqlite:///"
_PLAIN_WORDS = {
    "missing": "it is missing",
    "int_type": "write a whole number, such as 8000",
    "int_parsing": "write a whole number, such as 8000",
    "int_from_float": "write a whole number, such as 8000",
    "float_type": "write a number, such as 0.05",
    "float_parsing": "write a number, such as 0.05",
    "string_type": "write a text in quotes",
    "list_type": 'write a list of texts, such as ["1 per 1d", "2 per 7d"]',
    "model_type": "write a section with keys of its own",
    "model_attributes_type": "write a section with keys of its own",
    "greater_than_equal": "write {ge} or more",
    "greater_than": "write more than {gt}",
    "less_than_equal": "write {le} or less",
    "literal_error": "write {expected}",
}
"""What would be right, by pydantic's kind of error."""
_log = logging.getLogger(__name__)


def load_settings(file: Path | None = None, **options: Any) -> Settings:
    """The settings of a file (`m2s.toml` here, when it exists and none is named), variables and options.

    Options that are None do not count. A relative path in the file counts from the file's folder. Warns of `M2S_…`
    variables that no setting has. Raises Invalid with one problem per setting that is wrong or unknown.
    """
    if file is not None and not file.is_file():
        raise Invalid(f"there is no configuration file {file.absolute()}; `m2s init` writes one")
    chosen = file or Path("m2s.toml")
    given = {name: value for name, value in options.items() if value is not None}

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=chosen)

    _warn_of_unknown(os.environ)
    try:
        settings = FromFile(**given)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"{chosen} is not TOML: {error}") from None
    except OSError as error:
        raise Invalid(f"{chosen} cannot be read: {(error.strerror or str(error)).lower()}") from None
    except SettingsError as error:
        raise Invalid(_not_json(str(error))) from None
    except ValidationError as error:
        raise _told(error, chosen, given=given) from None
    if "database_url" not in given and not _variables("database_url"):
        settings.database_url = _from_folder(settings.database_url, chosen.parent)
    _find_files(settings.channels, chosen.parent)
    return settings


def _find_files(channels: ChannelSettings, folder: Path) -> None:
    """Counts relative paths in the options of adapters (`…_file`) from a folder, unless a variable gave them."""
    for section, options in (channels.__pydantic_extra__ or {}).items():
        for name, value in options.items():
            if (
                name.endswith("_file")
                and isinstance(value, str)
                and not _variables("channels", section, name)
            ):
                options[name] = str(folder / value)


def _from_folder(url: str, folder: Path) -> str:
    """The database URL with a relative path counted from a folder."""
    path = url.removeprefix(_SQLITE)
    if path == url or path.startswith(("/", ":", "file:")):
        return url
    return f"{_SQLITE}{folder / path}"


def _variables(*path: str) -> list[str]:
    """The variables of the environment that set a key; they are told without regard to case."""
    name = (PREFIX + DELIMITER.join(path)).upper()
    return [variable for variable in os.environ if variable.upper() == name]


def _warn_of_unknown(environment: Iterable[str]) -> None:
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields}
    sections = f"{PREFIX}CHANNELS{DELIMITER}"
    for variable in sorted(environment):
        name = variable.upper()
        if name.startswith(PREFIX) and name not in known and not name.startswith(sections):
            near = get_close_matches(name, known, n=1)
            meant = f"; did you mean {near[0]}?" if near else ""
            _log.warning("no setting belongs to the variable %s%s", variable, meant)


def _not_json(error: str) -> str:
    found = re.search(r'field "(\w+)"', error)
    name = f"{PREFIX}{found[1]}".upper() if found else f"an {PREFIX}… variable"
    return f'{name} is not JSON; write lists and sections as JSON, such as ["1 per 1d", "2 per 7d"]'


def _told(error: ValidationError, file: Path, *, given: Mapping[str, object]) -> Invalid:
    """Every wrong setting with where it was set and what would be right."""
    problems = []
    for found in error.errors():
        path = [str(part) for part in found["loc"]]
        variables = _variables(*path) or _variables(path[0])
        where = f"--{path[0]}" if path[0] in given else variables[0] if variables else None
        pointer = where or f"{file}: {'.'.join(path)}"
        problems.append(Problem(pointer, "bad_setting", _in_plain_words(found, path)))
    detail = "; ".join(f"{problem.pointer}: {problem.detail}" for problem in problems)
    return Invalid(detail, problems=problems)


def _in_plain_words(found: Any, path: list[str]) -> str:
    context = found.get("ctx", {})
    if found["type"] == "extra_forbidden" or _is_no_channel(found, path):
        nested = {"delivery": (Settings, DeliverySettings, RateSettings), "prices": (Settings, PriceSettings)}
        models = nested.get(path[0], (Settings, ChannelSettings, WebhookSettings))
        known = models[len(path) - 1].model_fields
        return f"there is no such setting; {suggestion(path[-1], known) or 'there are ' + ', '.join(known)}"
    if found["type"] == "value_error":
        return str(context["error"])
    words = _PLAIN_WORDS.get(found["type"])
    return words.format(**context) if words else str(found["msg"])


def _is_no_channel(found: Any, path: list[str]) -> bool:
    return (
        found["type"] == "dict_type" and path[0] == "channels" and path[1] not in ChannelSettings.model_fields
    )
