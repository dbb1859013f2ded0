"""Ids of events without one: stable, and never shared."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

from features.core import columns as c
from features.core.event_ids import SENT, event_id_of, with_event_ids

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
    assert named[c.EVENT_ID].to_list() == ["5b566daec58c8800cf70646a", "3fbc61fa376e669732522864", "mine"]
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


def test_one_event_gets_the_id_of_its_row() -> None:
    rows: list[tuple[str | None, ...]] = [
        (None, "ann", "v1", "s1", "Größe 3", "t1"),
        (None, "ann", "v1", "s1", "Größe 3", "t1"),
        (None, "ann", None, None, "tea", None),
        (None, None, "v1", None, "tea" * 90, None),
        (None, "ann", "v2", "s2", "tea", None),
    ]
    times = [START, START, START, START, START]
    ids = with_event_ids(events(rows, times))[c.EVENT_ID].to_list()
    before = [0, 1, 0, 0, 1]
    alone = [
        event_id_of(
            event_type="purchase",
            timestamp=round(START.timestamp() * 1e6),
            user_id=user,
            visitor_id=visitor,
            item_id=item,
            transaction_id=transaction,
            equal_before=equal,
        )
        for (_, user, visitor, _, item, transaction), equal in zip(rows, before, strict=True)
    ]
    assert alone == ids
    assert len(set(ids)) == len(ids)
    order = {"event_type": "purchase", "user_id": "ann", "visitor_id": None, "item_id": "Größe 3"}
    assert event_id_of(**order, transaction_id="t1", timestamp=None) == ids[0]  # type: ignore[arg-type]
    assert event_id_of(**order, transaction_id=None, timestamp=None) is None  # type: ignore[arg-type]
