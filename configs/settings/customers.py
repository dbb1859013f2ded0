"""Settings of `shopkeeper segments`: what is computed of each customer, and who may stand in it."""

from __future__ import annotations

from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from configs.settings.section import Section, Weight

Share = Annotated[float, Field(ge=0, lt=1)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
ConsentUse = Literal["profiles", "groups", "export"]
"""What a customer may agree to apart from the rest."""

MIN_GROUP_SIZE: Final = 10
_NO_ZONE: Final = "is no time zone, or this machine has no list of them: use a name such as Europe/Berlin"


class CustomersConfig(Section):
    """Customers: life stages, value tiers, membership levels, tags and groups (docs/customers.md)."""

    time_zone: str = "UTC"
    """The shop's time zone, such as `Europe/Berlin`, for days and hours of the clock."""

    @field_validator("time_zone")
    @classmethod
    def _is_time_zone(cls, name: str) -> str:
        try:
            if name != "UTC":
                ZoneInfo(name)
        except (OSError, ValueError, KeyError):
            raise ValueError(_NO_ZONE) from None
        return name

    category_levels: int = Field(2, ge=1)
    """Levels of a category's path that a favourite category names: 2 of `Food > Dairy > Milk` are
    `Food > Dairy`."""

    new_days: float = Field(30, gt=0)
    """`new`: the first order was at most so many days ago."""

    loyal_orders: int = Field(5, ge=2)
    """`loyal`: days with an order, at least; and not at risk."""

    at_risk_cycles: float = Field(2, gt=0)
    """`at risk`: the last order is more than so many purchase cycles ago. The cycle is the customer's own,
    the median number of days between orders; the shop's for whoever has ordered on fewer than three days."""

    lapsed_cycles: float = Field(4, gt=0)
    """`lapsed`: the last order is more than so many purchase cycles ago."""

    min_cycle_days: float = Field(14, gt=0)
    """A shorter cycle counts as so many days: who buys daily is not at risk after a holiday."""

    value_tiers: dict[str, Share] = Field(
        default_factory=lambda: {"top": 0.9, "high": 0.7, "middle": 0.3, "low": 0.0}, min_length=1
    )
    """Tier → the share of buyers who spent less: `top` is the tenth that spent most. One tier begins at 0."""

    points_per_unit: Weight = 1.0
    """Membership points for each unit of the shop's currency; refunds take them back."""

    levels: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    """Membership level → points within `level_days` that it takes: `{basic: 0, silver: 500, gold: 2000}`. A
    customer goes up at once. Empty: no membership."""

    level_days: float = Field(365, gt=0)
    """Points count so many days."""

    level_grace_days: float = Field(90, ge=0)
    """A level is kept so many days after the points fell below it."""

    tags: dict[Name, str] = Field(default_factory=dict)
    """Tag → a SQL condition over the columns of the profiles: `{saver: "discount_share > 0.5"}`. The column
    `tag_saver` is then true or false."""

    num_groups: int | None = Field(None, ge=2, le=20)
    """Groups of customers who buy alike. Default: the number from 3 to 8 that separates best, kept from then
    on."""

    min_group_size: int = Field(MIN_GROUP_SIZE, ge=1)
    """A segment, group or move of fewer people is not shown."""

    consent: dict[ConsentUse, str] = Field(default_factory=dict)
    """Use → the attribute of a user that must be a clear yes: `{groups: consent_analytics, export:
    consent_marketing}`. `profiles`: to be in any of the tables; `groups`: to be put into a group of people
    who buy alike; `export`: to be in a `--csv` file. A use that is not named needs no consent but the general
    one, without which nothing of a user is in the tables at all."""
