"""What do the campaign files on a command's line hold, and what is wrong with them?"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from campaigns.model import Campaign
    from campaigns.problems import Problem
    from m2s.bootstrap import Desk


def read_all(desk: "Desk", files: Sequence[Path]) -> "list[Campaign]":
    """The campaigns of the files; tells every problem and ends the command where there is one."""
    from m2s.entry.cli.orders import outlines, read_campaigns

    read, problems = read_campaigns(texts_of(files), outlines(desk), desk.publish.sms_rules)
    if problems:
        tell_problems(problems)
        raise typer.Exit(1)
    return [campaign for _, _, campaign in read]


def texts_of(files: Sequence[Path]) -> list[tuple[str, bytes]]:
    """What the files hold."""
    from m2s.entry.cli.desk import bytes_of

    return [(str(file), bytes_of(file)) for file in files]


def tell_problems(problems: "Sequence[Problem]") -> None:
    """Prints what is wrong with campaign files on standard error."""
    from m2s.entry.cli.printing import counted

    for problem in problems:
        print(f"{problem}\n{problem.excerpt()}", file=sys.stderr)  # noqa: T201
    if problems:
        print(counted(len(problems), "problem"), file=sys.stderr)  # noqa: T201
