"""Settings of `shopkeeper channels`: what a channel is, which visits count, and who is one shopper."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from configs.settings.customers import MIN_GROUP_SIZE
from configs.settings.section import Section

ChannelColumn = Literal["channel", "source", "medium", "campaign"]
JoinRule = Literal["login", "order", "email"]
"""What shows that two ids are of one shopper."""

MAX_ACCOUNTS: Final[dict[JoinRule, int]] = {"login": 1, "order": 2, "email": 3}


class ChannelsConfig(Section):
    """Channels: what stood on the way to an order, and which ids are one shopper (docs/channels.md)."""

    by: tuple[ChannelColumn, ...] = ()
    """Columns of an event that together name its channel: `[source, medium]` gives `google / cpc`. Default:
    source and medium where events have one of them, else channel, else campaign."""

    lookback_days: float = Field(30, gt=0, le=3650)
    """A visit counts for an order that comes within so many days."""

    min_shoppers: int = Field(MIN_GROUP_SIZE, ge=1)
    """A channel with fewer shoppers is counted under `other`, and a path with fewer is not shown."""

    max_accounts: dict[JoinRule, Annotated[int, Field(ge=1)]] = Field(
        default_factory=lambda: dict(MAX_ACCOUNTS)
    )
    """Rule → the most accounts that one device, order or e-mail may have; with more it joins nobody, because
    several people share it. A rule that is not named is not used."""

    max_devices: int = Field(30, ge=1)
    """An account that was used on more devices joins none of them: it stands for guests or a till."""

    email_attribute: str = "email_sha256"
    """The attribute of a user that holds the SHA-256 of the e-mail address, as 64 hexadecimal digits."""
