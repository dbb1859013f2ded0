"""Settings of `shopkeeper returns`: when a rate of refunds is a warning, and what may stand in."""

from __future__ import annotations

from pydantic import Field

from configs.settings.section import Section, Weight


class ReturnsConfig(Section):
    """Returns: rates of refunds, warnings of bad batches, products that fit instead (docs/returns.md)."""

    recent_days: float = Field(28, gt=0, le=3650)
    """A warning is about what was bought in the last so many days."""

    min_lines: int = Field(10, ge=2)
    """A product is tested with at least so many recent order lines, and against at least so many earlier
    ones: its own, else those of its category, else all."""

    min_people: int = Field(3, ge=1)
    """A warning takes refunds of so many different customers, and a product that fits instead so many who
    kept it."""

    false_discovery_rate: float = Field(0.05, gt=0, lt=1)
    """Of the products with a warning, at most this share is chance, on average."""

    instead_days: Weight = 60
    """What somebody buys from the same category up to so many days after the order that came back, and keeps,
    fits instead."""

    num_instead: int = Field(3, ge=1, le=20)
    """Products that fit instead, for each product."""

    level: float = Field(0.9, gt=0, lt=1)
    """Level of the intervals of the rates."""
