"""Tables are imported into the log once, and exported as they were."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from configs.exceptions import ServingError
from configs.load import load_config
from features.core.artefact import write_manifest, writing
from features.prepare import prepare
from serving.state.event_log import Event
from serving.state.event_transfer import ImportResult, export_events, import_events
from serving.state.live_events import ExchangeRates, parse_event, to_rows
from serving.state.store_location import StoreLocation, open_store

ROWS = pl.DataFrame(
    {
        "event_id": ["r1", "r1", "r2", "r3"],
        "line": [0, 1, 0, 0],
        "event_type": ["purchase", "purchase", "view_item", "search"],
        "timestamp": [datetime(2024, 1, day, 12, tzinfo=UTC) for day in (1, 1, 2, 3)],
        "user_id": ["ann", "ann", None, "ann"],
        "visitor_id": [None, None, "v7", "v8"],
        "item_id": ["apple", "bread", "apple", None],
        "quantity": [0.735, 2.0, None, None],
        "price": [1.25, None, None, None],
        "transaction_id": ["t1", "t1", None, None],
        "search_term": [None, None, None, "cheese"],
    },
    schema_overrides={"timestamp": pl.Datetime("us", "UTC")},
)


def write_tables(folder: Path, rows: pl.DataFrame) -> Path:
    with writing(folder, kind="tables") as scratch:
        rows.write_parquet(scratch / "events.parquet")
        write_manifest(scratch, kind="tables", made_from="test", contents={"events": rows.height})
    return folder


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    return write_tables(tmp_path / "tables", ROWS)


def test_imported_events_are_histories_and_importing_again_adds_nothing(
    location: StoreLocation, tables: Path
) -> None:
    progress: list[tuple[int, int]] = []
    first = import_events(tables, location, progress=lambda done, total: progress.append((done, total)))
    again = import_events(tables, location)
    assert (first.imported, first.duplicates, first.already_imported) == (4, 0, False)
    assert (again.imported, again.already_imported) == (0, True)
    assert progress == [(4, 4)]
    with open_store(location) as store:
        history = store.history("ann", {"apple": 0, "bread": 1}, limit=10)
        assert history.items.tolist() == [0, 1]
        assert len(set(history.baskets.tolist())) == 1
        assert len(store.history("visitor:v7", {"apple": 0}, limit=10)) == 1
        repeated = store.append_now(
            [Event("r2", 0, "view_item", 1, visitor_id="v7", item_id="apple")], received_at=1
        )
        assert repeated.duplicates == 1


def test_an_import_beside_live_events_adds_what_is_missing(location: StoreLocation, tables: Path) -> None:
    with open_store(location) as store:
        store.append_now(
            [Event("r3", 0, "search", 5, user_id="ann"), Event("live", 0, "search", 6, user_id="ann")],
            received_at=1,
        )
        result = import_events(tables, location)
        assert (result.imported, result.duplicates) == (3, 1)
        assert len(store.history("ann", {"apple": 0, "bread": 1}, limit=10)) == 2


def test_an_export_equals_what_was_imported(location: StoreLocation, tmp_path: Path, tables: Path) -> None:
    import_events(tables, location)
    assert export_events(location, tmp_path / "out") == 4
    exported = pl.read_parquet(tmp_path / "out" / "events.parquet")
    assert_frame_equal(exported.select(ROWS.columns), ROWS, check_dtypes=False)
    assert exported["timestamp"].dtype == pl.Datetime("us", "UTC")
    write_tables(tmp_path / "tables2", exported)
    import_events(tmp_path / "tables2", tmp_path / "second.db")
    export_events(tmp_path / "second.db", tmp_path / "out2")
    assert_frame_equal(pl.read_parquet(tmp_path / "out2" / "events.parquet"), exported)


def test_exporting_from_nothing_is_an_error(location: StoreLocation, tmp_path: Path) -> None:
    with pytest.raises(ServingError, match="events import"):
        export_events(location, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_live_event_is_the_row_of_a_file_and_of_a_newer_file_in_another_order(
    location: StoreLocation, tmp_path: Path
) -> None:
    """No id is sent: an order, a view and a view by a visitor, each in the file and live."""
    rows: list[tuple[str | None, ...]] = [
        ("purchase", "2024-05-01T10:00:00Z", "ann", None, "tea", "t1"),
        ("purchase", "2024-05-01T10:00:00Z", "ann", None, "jam", "t1"),
        ("view_item", "2024-05-02T10:00:00Z", "ann", "v1", "tea", None),
        ("view_item", "2024-05-02T10:00:00Z", None, "v1", "tea", None),
    ]
    names = ("event_type", "timestamp", "user_id", "visitor_id", "item_id", "transaction_id")
    now = datetime(2024, 6, 1, tzinfo=UTC)

    def import_file(name: str, lines: list[tuple[str | None, ...]]) -> ImportResult:
        folder = tmp_path / name
        folder.mkdir()
        pl.DataFrame(lines, schema=dict.fromkeys(names, pl.String), orient="row").write_csv(folder / "e.csv")
        lenient = ["prepare.min_item_events=1", "prepare.min_active_users=1", "prepare.min_window_users=0"]
        prepare(
            load_config(overrides=[f"data.events={folder / 'e.csv'}", *lenient], workspace=folder), now=now
        )
        return import_events(folder / "tables", location)

    assert import_file("old", rows).imported == 4
    late = ("purchase", "2024-05-03T10:00:00Z", "ann", None, "ale", "t2")
    newer = import_file("new", [late, *reversed(rows)])
    assert (newer.imported, newer.duplicates) == (1, 4)
    with open_store(location) as store:
        live = [
            row
            for values in [late, *rows]
            for row in to_rows(
                parse_event({name: value for name, value in zip(names, values, strict=True) if value}),
                now=round(now.timestamp() * 1e6),
                exchange_rates=ExchangeRates(),
            )
        ]
        assert store.append_now(live, received_at=1).duplicates == 5


def test_attributes_of_users_are_exported_beside_the_events(location: StoreLocation, tmp_path: Path) -> None:
    with open_store(location) as store:
        asyncio.run(store.users.put_attributes("ann", {"tier": "gold"}))
        asyncio.run(store.users.put_attributes("bob", {"tier": "red"}))
        asyncio.run(store.users.put_attributes("visitor:v", {"tier": "none"}))
        asyncio.run(store.users.forget("bob", reason="deleted", now=1))
    export_events(location, tmp_path / "export")
    users = pl.read_parquet(tmp_path / "export" / "users.parquet")
    assert users.rows() == [("ann", '{"tier":"gold"}')]
    assert (tmp_path / "export" / "users.parquet").stat().st_mode & 0o077 == 0
