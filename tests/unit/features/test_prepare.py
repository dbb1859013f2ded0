"""`prepare` as a user sees it: bad input is one clear error, and nothing is half-written."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from configs.exceptions import ArtefactError, DataError, TooLittleDataError
from configs.load import load_config
from configs.schema import Config
from features.dataset import Dataset
from features.ingest.report import Report
from features.ingest.report_table import render_report
from features.ingest.tables import Tables
from features.prepare import prepare

MakeConfig = Callable[..., Config]
PrepareCsv = Callable[..., Report]

HEADER = "event_type,timestamp,user_id,item_id,quantity,price,transaction_id\n"
GOOD = "purchase,2024-05-01T10:00:00Z,ann,tea,1,2.50,t1\n"
ORDER_2 = GOOD.replace("t1", "t2")


def left_in(workspace: Path) -> list[str]:
    return sorted(path.name for path in workspace.rglob("*")) if workspace.exists() else []


def reasons(workspace: Path) -> list[tuple[int, str]]:
    return list(
        Tables.open(workspace / "tables").rejected.select("line", "reason").sort("line").collect().iter_rows()
    )


def test_a_whole_shop_goes_through_at_the_default_settings(
    shop_csv: str, tmp_path: Path, workspace: Path, now: datetime
) -> None:
    events = tmp_path / "events.csv"
    events.write_text(shop_csv, encoding="utf-8")
    said: list[str] = []
    config = load_config(overrides=["data.reader=csv", f"data.events={events}"], workspace=workspace)
    report = prepare(config, now=now, progress=said.append)
    assert report.no_go is None
    assert (report.num_users, report.num_items, report.num_item_events) == (30, 50, 1200)
    assert report.basket_size["50%"] == 2
    assert len(said) == 4
    assert Dataset.open(workspace / "dataset").num_users == 30
    assert Tables.open(workspace / "tables").report == json.loads(json.dumps(report.as_dict()))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.events=absent.csv", r"absent\.csv: no such file \(data\.events"),
        ("data.items=absent.csv", r"absent\.csv: no such file \(data\.items"),
        ("data.events=.", r"is a folder"),
    ],
)
def test_a_file_that_is_not_there(
    prepare_csv: PrepareCsv, workspace: Path, override: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        prepare_csv(HEADER + GOOD, override)
    assert left_in(workspace) == []


@pytest.mark.parametrize(
    ("text", "overrides", "message"),
    [
        (
            "sku,timestamp,user_id\na,2024-01-01,u\n",
            ["data.event_type=purchase"],
            r"no column 'item_id'.*sku, timestamp, user_id.*item_id: <",
        ),
        ("item_id,timestamp,user_id\na,2024-01-01,u\n", [], r"no column 'event_type'.*data\.event_type"),
        ("item_id,event_type,user_id\na,purchase,u\n", [], r"no column 'timestamp'.*data\.clock=ordinal"),
        ("item_id,event_type,timestamp\na,purchase,2024-01-01\n", [], r"no column 'user_id'"),
        (
            HEADER + GOOD,
            ["data.event_columns.item_id=sku"],
            r"data\.event_columns names the column 'sku', which the file lacks.*item_id",
        ),
        (
            HEADER + GOOD.replace("2.50", "dear") * 3,
            [],
            r"column 'price' should hold numbers.*String.*'dear'.*data\.event_columns",
        ),
        (
            HEADER + GOOD.replace("2024-05-01T10:00:00Z", "soon") * 3,
            [],
            r"column 'timestamp' should hold times.*'soon'",
        ),
        (HEADER, [], r"has no rows"),
        ("", [], r"is empty"),
    ],
)
def test_a_table_that_does_not_fit(
    prepare_csv: PrepareCsv, workspace: Path, text: str, overrides: list[str], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        prepare_csv(text, *overrides)
    assert left_in(workspace) == []


def test_one_event_is_a_no_go_that_is_shown_first(tmp_path: Path, workspace: Path, now: datetime) -> None:
    events = tmp_path / "events.csv"
    events.write_text(HEADER + GOOD, encoding="utf-8")
    shown: list[Report] = []
    config = load_config(overrides=["data.reader=csv", f"data.events={events}"], workspace=workspace)
    with pytest.raises(TooLittleDataError, match=r"1 item events.*min_item_events is 1,000; 0 users"):
        prepare(config, now=now, show=shown.append)
    assert shown[0].num_item_events == 1
    assert left_in(workspace) == []


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (GOOD.replace("2024-05-01T10:00:00Z", "2024-06-02T12:00:01Z"), "timestamp is more than a day ahead"),
        (GOOD.replace("2024-05-01T10:00:00Z", ""), "timestamp is missing"),
        (GOOD.replace("2024-05-01T10:00:00Z", "1st of May"), "timestamp is not understood"),
        (GOOD.replace("ann", ""), "no user_id and no visitor_id"),
        (GOOD.replace("ann", "é" * 129), "an id is longer than 256 bytes"),
        (
            GOOD.replace("purchase", "bought"),
            "event_type 'bought' is not known: map it in data.event_types to one of ours or ignore",
        ),
        (GOOD.replace("purchase", ""), "event_type is missing"),
        (GOOD.replace("tea", " "), "item_id is missing"),
        (GOOD.replace("2.50", "-0.01"), "price is negative"),
        (GOOD.replace("2.50", "nan"), "price is not a number"),
        (
            GOOD.replace(",1,", ",-1,"),
            "quantity is negative: data.negative_quantity=refund makes that a refund",
        ),
        (GOOD.replace(",1,", ",some,"), "quantity is not a number"),
        (GOOD.replace(",1,", ",1e13,"), "quantity is above 1e+12"),
        ("purchase,2024-05-01\n", "too few fields"),
    ],
)
def test_a_bad_row_is_rejected_with_its_line_and_the_run_goes_on(
    prepare_csv: PrepareCsv, workspace: Path, row: str, reason: str
) -> None:
    report = prepare_csv(HEADER + GOOD + row + GOOD.replace("tea", "jam"))
    assert reasons(workspace) == [(3, reason)]
    assert report.rejected == {f"events: {reason}": 1}
    assert report.num_events == 2
    raw = Tables.open(workspace / "tables").rejected.collect()["raw"].item()
    assert "2024" in raw or "timestamp" in raw


def test_a_time_less_than_a_day_ahead_is_taken(prepare_csv: PrepareCsv) -> None:
    ahead = ORDER_2.replace("2024-05-01T10:00:00Z", "2024-06-02T12:00:00Z")
    assert prepare_csv(HEADER + GOOD + ahead).num_events == 2


def test_too_many_rejected_rows_stop_the_run_and_are_kept_to_be_looked_at(
    prepare_csv: PrepareCsv, workspace: Path
) -> None:
    text = HEADER + GOOD * 8 + GOOD.replace("2.50", "-1") * 2
    with pytest.raises(
        DataError,
        match=r"2 of 10 rows of the events were rejected.*0\.05.*\n  2 × price is negative \(first in "
        r"events\.csv, line 10",
    ):
        prepare_csv(text, "prepare.max_rejected_share=0.05")
    assert left_in(workspace) == ["rejected.parquet"]
    assert pl.read_parquet(workspace / "rejected.parquet")["line"].to_list() == [10, 11]
    prepare_csv(text)
    assert not (workspace / "rejected.parquet").exists()


@pytest.mark.parametrize("folder", ["tables", "dataset"])
def test_a_folder_that_holds_something_else_is_left_alone(
    prepare_csv: PrepareCsv, workspace: Path, folder: str
) -> None:
    (workspace / folder).mkdir(parents=True)
    (workspace / folder / "thesis.tex").write_text("mine", encoding="utf-8")
    with pytest.raises(ArtefactError, match=rf"{folder} exists and is not a {folder} folder of Shopkeeper"):
        prepare_csv(HEADER + GOOD)
    assert left_in(workspace) == [folder, "thesis.tex"]


def test_an_error_leaves_the_last_good_tables_in_place(prepare_csv: PrepareCsv, workspace: Path) -> None:
    prepare_csv(HEADER + GOOD * 2)
    before = Tables.open(workspace / "tables").fingerprint
    with pytest.raises(DataError):
        prepare_csv("nothing,here\n1,2\n")
    assert Tables.open(workspace / "tables").fingerprint == before


def test_shift_to_today_moves_by_whole_days_and_never_into_the_future(
    prepare_csv: PrepareCsv, workspace: Path, now: datetime
) -> None:
    prepare_csv(HEADER + GOOD + ORDER_2.replace("2024-05-01T10", "2019-02-03T04"), "data.shift_to_today=true")
    times = Tables.open(workspace / "tables").events.collect()["timestamp"].to_list()
    assert times[-1] == datetime(2024, 6, 1, 10, tzinfo=UTC)
    assert times[-1] - times[0] == datetime(2024, 5, 1, 10) - datetime(2019, 2, 3, 4)
    prepare_csv(HEADER + GOOD + ORDER_2.replace("T10", "T13"), "data.shift_to_today=true")
    assert Tables.open(workspace / "tables").events.collect()["timestamp"].max() == now - timedelta(hours=23)


def test_the_same_files_give_the_same_fingerprints(
    prepare_csv: PrepareCsv, workspace: Path, shop_csv: str
) -> None:
    prepare_csv(shop_csv)
    first = Dataset.open(workspace / "dataset").manifest
    prepare_csv(shop_csv)
    assert Dataset.open(workspace / "dataset").manifest == first


def test_the_report_tells_catalogue_gaps_repeats_bots_and_unused_columns(
    prepare_csv: PrepareCsv, tmp_path: Path
) -> None:
    (tmp_path / "items.csv").write_text("id,title,weight\ntea,Tea,1\n", encoding="utf-8")
    robot = "".join(f"view_item,2024-05-02T10:00:00Z,robot,jam,,,,{n}\n" for n in range(1001))
    again = GOOD.replace("t1", "t2").replace("05-01", "05-03")
    rows = "".join(line + ",\n" for line in (GOOD + again).splitlines())
    report = prepare_csv(
        HEADER.strip() + ",note\n" + rows + robot,
        f"data.items={tmp_path / 'items.csv'}",
        "prepare.min_catalogue_share=0",
    )
    assert report.suspected_bots == ["robot"]
    assert report.repeat_purchase_share == 0.5
    assert report.events_without_catalogue == 1001
    assert report.unused_columns == {"events": ["note"], "items": ["weight"]}


def test_an_item_that_the_catalogue_does_not_list_is_out_of_stock(tmp_path: Path) -> None:
    """It cannot be shown with a name or a price, so it must never be recommended."""
    events = (
        "user_id,item_id,event_type,timestamp\nu,listed,purchase,2025-01-01\nu,unlisted,purchase,2025-01-02\n"
    )
    (tmp_path / "events.csv").write_text(events, encoding="utf-8")
    (tmp_path / "items.csv").write_text("id,title\nlisted,A lamp\n", encoding="utf-8")
    settings = [
        "prepare.min_item_events=1",
        "prepare.min_active_users=1",
        "prepare.min_window_users=0",
        f"data.events={tmp_path}/events.csv",
    ]
    config = load_config(
        overrides=[*settings, f"data.items={tmp_path}/items.csv"], workspace=tmp_path / "shop"
    )
    prepare(config, now=datetime(2025, 2, 1, tzinfo=UTC))
    rows = pl.read_parquet(tmp_path / "shop" / "dataset" / "items.parquet")
    assert dict(zip(rows["id"], rows["availability"], strict=True)) == {
        "listed": None,
        "unlisted": "out_of_stock",
    }


def test_items_and_prices_that_are_lost_with_the_rejected_rows_are_reported(
    prepare_csv: PrepareCsv, tmp_path: Path
) -> None:
    (tmp_path / "items.csv").write_text("id,price\ntea,2.50\nsofa,$1249\n", encoding="utf-8")
    dear = GOOD.replace("tea", "sofa").replace("2.50", "$1249.00") + GOOD.replace("tea,1,2.50", "bed,2,$1000")
    report = prepare_csv(HEADER + GOOD * 4 + dear, f"data.items={tmp_path / 'items.csv'}")
    lost = report.lost["events"]
    assert (lost.num_items, lost.items, lost.num_rows) == (2, ["bed", "sofa"], 2)
    assert (lost.row_share, lost.price_ranges) == (2 / 6, {"1,000 to 10,000": 2})
    assert lost.revenue_share == pytest.approx(3249 / 3259)
    assert report.lost["items"].items == ["sofa"]
    console = Console(width=300, record=True, file=io.StringIO())
    console.print(render_report(report))
    text = console.export_text()
    assert "2: bed, sofa; all their 2 rows of the events were rejected (33.3% of the events, 99.7%" in text
    assert "1,000 to 10,000: all 2 rows of the events with such a price were rejected" in text


def test_an_item_with_a_row_left_and_a_price_beside_others_are_not_lost(prepare_csv: PrepareCsv) -> None:
    report = prepare_csv(HEADER + GOOD * 2 + GOOD.replace("2.50", "2.50 or so") * 2)
    assert sum(report.rejected.values()) == 2
    assert report.lost == {}


def test_the_event_log_stands_for_the_file_of_events(
    prepared_shop: Path, shop_config: Config, tmp_path: Path
) -> None:
    """Its columns have our names and its rows their types, whatever the configuration says of the shop's
    files; the catalogue is still the shop's."""
    log = prepared_shop / "tables" / "events.parquet"
    absent = shop_config.data.model_copy(update={"events": tmp_path / "absent.csv", "event_type": "review"})
    config = shop_config.model_copy(update={"workspace": tmp_path / "again", "data": absent})
    prepare(config, now=datetime(2025, 1, 1, tzinfo=UTC), event_log=log)
    before, after = (Dataset.open(one / "dataset") for one in (prepared_shop, config.workspace))
    assert after.training_data == before.training_data
    assert after.fingerprint == before.fingerprint
