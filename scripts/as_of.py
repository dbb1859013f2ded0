"""The option `--as-of` of the commands that look back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from configs.exceptions import ConfigError

AsOfOption = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        help="As of the beginning of this day (UTC), from the events before it. Default: the last event.",
        metavar="2024-01-31",
    ),
]


def beginning_of(day: str) -> datetime:
    """The first moment of a day (UTC). Raises ConfigError for what is no day, and for one that has not
    come."""
    try:
        moment = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise ConfigError(f"--as-of {day}: is no day. Write it as 2024-01-31.") from None
    if moment > datetime.now(UTC):
        raise ConfigError(f"--as-of {day}: has not come yet. Take today or an earlier day.")
    return moment
