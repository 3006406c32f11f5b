"""What does the running process tell its operator? One `key=value` line per event, without what belongs to people."""

import logging
import re
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_HIDDEN = "(hidden)"
_PRIVATE_KEYS = frozenset(
    {
        *("authorization", "token", "device_token", "push_token", "key", "secret", "salt", "code"),
        *("phone", "email", "customer_id", "loyalty_id", "body"),
        *("latitude", "longitude", "lat", "lon", "coordinates", "position", "geometry"),
    }
)
_PRIVATE_TEXT = re.compile(
    r"pk_[a-z]+_[0-9a-z]+_[\w-]+|dt_[\w-]{20,}|whsec_[\w+/=-]+|(?i:bearer) \S+"  # keys and tokens
    r"|\+\d{8,15}\b"  # E.164 phone numbers
    r"|\[parameters: .*\]"  # the row of a failed SQL statement
)
_QUIET = {"uvicorn": logging.WARNING, "alembic": logging.WARNING}


def configure_logs(stream: TextIO, *, level: int = logging.INFO) -> None:
    """Sends every log line of the process to `stream`, those of libraries too; may be called again."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    render = structlog.processors.LogfmtRenderer(
        key_order=["timestamp", "level", "event"], drop_missing=True, bool_as_flag=False
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
            foreign_pre_chain=shared,
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(least)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hides the values of private keys at any depth, and keys, tokens and phone numbers inside texts."""
    return {key: _without(key, value) for key, value in event.items()}


def _without(key: object, value: object) -> object:
    if key in _PRIVATE_KEYS:
        return _HIDDEN
    if isinstance(value, str):
        return _PRIVATE_TEXT.sub(_HIDDEN, value)
    if isinstance(value, dict):
        return {name: _without(name, part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_without(None, part) for part in value]
    return value
