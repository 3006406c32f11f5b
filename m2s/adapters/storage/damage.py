"""What is wrong with a database file that will not be put right by trying again?"""

from typing import Any

import sqlalchemy as sa

from m2s.adapters.storage.engine import driver

# Primary result codes of https://sqlite.org/rescode.html.
_FLAWS = {
    3: "may not be read or written by this user",
    8: "may not be written by this user, or its folder may not",
    11: "is damaged: put a backup in its place",
    26: "is not an SQLite database: check database_url, or put a backup in its place",
}


def flaw(error: BaseException) -> str | None:
    """What an error says about the file, to follow its name; None for an error that says nothing about it."""
    cause: Any = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    if not isinstance(cause, driver().Error):
        return None
    return _FLAWS.get(getattr(cause, "sqlite_errorcode", 0) & 0xFF)
