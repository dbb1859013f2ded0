"""Ids of events without one: stable, and never shared."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

from features.core import columns as c
from features.ingest.event_ids import SENT, with_event_ids

START = datetime(2024, 5, 1, 10, tzinfo=UTC)
CODED = (c.USER_ID, c.VISITOR_ID, c.SESSION_ID, c.ITEM_ID, c.TRANSACTION_ID)


def events(rows: list[tuple[str | None, ...]], times: list[datetime]) -> pl.DataFrame:
    """Events of (event_id, user, visitor, session, item, transaction), all purchases."""
    names = [c.EVENT_ID, *CODED]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    return frame.with_columns(
        pl.col(CODED).cast(pl.Categorical),
        pl.Series(c.TIMESTAMP, times, dtype=pl.Datetime("us", "UTC")),
        pl.lit("purchase", dtype=pl.Enum(c.EVENT_TYPES)).alias(c.EVENT_TYPE),
    )


def test_an_event_keeps_its_name_from_one_version_to_the_next() -> None:
    """The log knows events by it: with another name, everything imported before would count twice."""
    row = (None, "ann", None, None, "Größe 3", "t1")
    named = with_event_ids(events([row, row, ("mine", "ann", None, None, "tea", None)], [START] * 3))
    assert named[c.EVENT_ID].to_list() == ["c9dfef7b1d7f08e6ff70e115", "eddb2e5735edfab565265a21", "mine"]
    assert named[SENT].to_list() == [False, False, True]


def test_events_that_differ_in_one_thing_have_different_names() -> None:
    plain = (None, "ann", None, None, "tea", None)
    rows = [
        plain,
        (None, "anna", None, None, "tea", None),
        (None, "tea", None, None, "ann", None),
        (None, None, "ann", None, "tea", None),
        (None, "ann", None, "s1", "tea", None),
        (None, "ann", None, None, "tea", "s1"),
        (None, "ann", None, None, None, "tea"),
        (None, "ann", None, None, "tea" * 80, None),
        (None, "ann", None, None, "tea" * 81, None),
    ]
    apart = with_event_ids(events([*rows, plain], [START] * len(rows) + [START + timedelta(microseconds=1)]))
    assert apart[c.EVENT_ID].n_unique() == len(rows) + 1


def test_a_name_does_not_depend_on_the_other_rows() -> None:
    rows: list[tuple[str | None, ...]] = [
        (None, f"u{n % 700}", None, None, f"i{n % 900}", None) for n in range(20_000)
    ]
    times = [START + timedelta(seconds=n // 2) for n in range(20_000)]
    together = with_event_ids(events(rows, times))[c.EVENT_ID]
    assert together.n_unique() == 20_000
    alone = with_event_ids(events(rows[:5:-1], times[:5:-1]))[c.EVENT_ID]
    assert alone.reverse().to_list() == together[6:].to_list()
