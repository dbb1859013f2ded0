"""Settings of what customers write: `shopkeeper reviews`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints

from configs.settings.section import Section

AspectWord = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class ReviewsConfig(Section):
    """What is read out of the reviews in `data.reviews`."""

    positive_from: float = 4
    """A review with this rating or a better one is content. What lies between this and `negative_to` teaches
    nothing."""

    negative_to: float = 2
    """A review with this rating or a worse one is discontented."""

    min_labelled: int = Field(100, ge=5)
    """With fewer content, or fewer discontented, reviews no network is trained: sentiment is then what the
    rating says, and unknown without one."""

    labelled: Path | None = None
    """More labelled texts to learn from, such as a public data set in your customers' language: a csv, jsonl
    or parquet file with the columns `text` and `label` (or `rating`)."""

    seed: int = 0
    """Of the training. The same reviews and the same seed give the same network."""

    aspects: dict[str, tuple[AspectWord, ...]] = Field(default_factory=dict)
    """What customers speak of → the words that tell: `{battery: ["batter*", "charg*", 电池]}`. A name that is
    built in (size, quality, delivery, service, price, packaging, freshness, description) gets these words
    instead of its own; with `[]` it is left out. `*` stands for any ending of a word."""

    window_days: float = Field(30, gt=0)
    """What changed: the days before the last review …"""

    before_days: float = Field(180, gt=0)
    """… beside so many days before those."""

    min_mentions: int = Field(5, ge=1)
    """A product's aspect with fewer mentions within `window_days`, or before, is not tested for a change."""

    false_discovery_rate: float = Field(0.05, gt=0, lt=1)
    """Of the changes that are shown, at most this share is chance, on average."""

    prior_mentions: float = Field(10, gt=0)
    """A product's share of complaints is drawn to the shop's as if so many mentions had been seen before: one
    angry review makes no bad product."""
