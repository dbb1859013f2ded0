"""Files as spreadsheets write them: what is read, and what is rejected rather than misread."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from configs.exceptions import ConfigError, DataError
from configs.schema import Config
from features.core.timestamps import parse_timestamps
from features.ingest.report import Report
from features.ingest.tables import Tables
from features.prepare import prepare
from serving.state.event_transfer import import_events

PrepareCsv = Callable[..., Report]
MakeConfig = Callable[..., Config]
GERMAN = (
    "data.event_type=purchase",
    "data.event_columns={timestamp: verkauft am, user_id: Kunde, item_id: Artikel, quantity: Stück, price: "
    "Preis}",
    "data.timestamp_format=%d.%m.%Y %H:%M",
    "data.decimal=,",
)
HEADER = "verkauft am;Kunde;Artikel;Stück;Preis\r\n"


def events_in(workspace: Path) -> pl.DataFrame:
    return Tables.open(workspace / "tables").events.collect()


def test_a_german_export_from_a_spreadsheet(prepare_csv: PrepareCsv, workspace: Path) -> None:
    rows = "31.12.2023 18:30;Jörg Müller ; Größe 3;2;1.234,50\r\n01.02.2024 08:00;Änne;Größe 4;1;3\r\n"
    rows += "02.02.2024 08:00;Änne;Größe 4;1;1 234,5\r\n03.02.2024 08:00;Änne;Größe 4;1;2.50\r\n"
    report = prepare_csv(("\ufeff" + HEADER + rows).encode(), *GERMAN)
    assert report.rejected == {"events: price is not a number": 1}, "2.50 is neither 2,50 nor 250"
    found = events_in(workspace).select("timestamp", "user_id", "item_id", "quantity", "price").rows()
    assert found[0] == (datetime(2023, 12, 31, 18, 30, tzinfo=UTC), "Jörg Müller", "Größe 3", 2, 1234.5)
    assert [row[4] for row in found] == [1234.5, 3.0, 1234.5]
    assert found[1][0] == datetime(2024, 2, 1, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("row", "without", "message"),
    [
        (
            "31.12.2023 18:30;a;b;1;2,50",
            2,
            r"'verkauft am' should hold times.*'31\.12\.2023 18:30'.*data\.timestamp_format",
        ),
        ("31.12.2023 18:30;a;b;1;2,50", 3, r"'Preis' should hold numbers.*'2,50'.*set data\.decimal=','"),
        ("31.12.2023;a;b;1;2,50", None, r"should hold times like %d\.%m\.%Y %H:%M"),
    ],
)
def test_without_the_setting_the_error_names_it(
    prepare_csv: PrepareCsv, row: str, without: int | None, message: str
) -> None:
    settings = [setting for place, setting in enumerate(GERMAN) if place != without]
    with pytest.raises(DataError, match=message):
        prepare_csv(HEADER + f"{row}\r\n" * 3, *settings)


def test_a_year_of_two_figures_is_not_the_first_century(prepare_csv: PrepareCsv) -> None:
    with pytest.raises(DataError, match="timestamp is before 1970"):
        prepare_csv(HEADER + "31.12.23 18:30;a;b;1;2,50\r\n" * 3, *GERMAN, "prepare.max_rejected_share=0.05")


def test_a_form_that_says_no_day_is_rejected(prepare_csv: PrepareCsv) -> None:
    with pytest.raises((ConfigError, DataError)):
        prepare_csv(
            HEADER + "18:30;a;b;1;2,50\r\n" * 3,
            *GERMAN,
            "data.timestamp_format=%H:%M",
            "prepare.max_rejected_share=0",
        )


@pytest.mark.parametrize("values", [["45292.07"], ["7"], [45292.5], [7]])
def test_the_day_number_of_a_spreadsheet_is_no_unix_time(values: list[object]) -> None:
    assert parse_timestamps(pl.Series(values)).to_list() == [None]


def test_a_date_written_as_a_whole_number_is_a_date() -> None:
    assert parse_timestamps(pl.Series([20240131, None])).to_list() == [
        datetime(2024, 1, 31, tzinfo=UTC),
        None,
    ]


def test_a_newer_file_of_the_same_name_adds_what_is_new_and_nothing_twice(
    prepare_csv: PrepareCsv, workspace: Path, tmp_path: Path
) -> None:
    """A shop replaces sales.csv every night by the last 30 days: rows overlap, and stand on other lines."""
    header = "event_type,timestamp,user_id,item_id\n"
    first, second, third = (f"purchase,2024-05-0{day},ann,tea\n" for day in (1, 2, 3))
    store = tmp_path / "events.db"
    prepare_csv(header + first + second + second)
    assert import_events(workspace / "tables", store).imported == 3, "two equal rows are two events"
    prepare_csv(header + third + second + second)
    again = import_events(workspace / "tables", store)
    assert (again.imported, again.duplicates) == (1, 2)


def test_files_of_one_name_in_several_folders_are_all_there(
    make_config: MakeConfig, tmp_path: Path, now: datetime
) -> None:
    for month in (1, 2):
        folder = tmp_path / f"2024-0{month}"
        folder.mkdir()
        (folder / "sales.csv").write_text(
            "event_type,timestamp,user_id,item_id\n"
            f"purchase,2024-0{month}-01,ann,tea\n"
            f"purchase,2024-0{month}-02,ann,jam\n"
        )
    config = make_config(tmp_path / "2024-*" / "sales.csv")
    prepare(config, now=now)
    assert import_events(config.workspace / "tables", tmp_path / "events.db").imported == 4


def test_a_german_export_in_the_encoding_of_windows(prepare_csv: PrepareCsv, workspace: Path) -> None:
    head, row = "sep=;\r\n" + HEADER, "31.12.2023 18:30;Jörg;Größe 3;12,00;1.234,50\r\n"
    report = prepare_csv((head + row * 2).encode("cp1252"), *GERMAN, "data.encoding=cp1252")
    assert report.rejected == {}
    assert (
        events_in(workspace).select("user_id", "item_id", "quantity").rows()
        == [("Jörg", "Größe 3", 12.0)] * 2
    )


def test_rows_in_the_encoding_of_windows_are_rejected_and_the_error_names_the_setting(
    prepare_csv: PrepareCsv,
) -> None:
    rows = "event_type,timestamp,user_id,item_id\n" + "purchase,2024-05-01,Jörg,tea\n" * 2
    with pytest.raises(DataError, match=r"2 × not UTF-8 text(.|\n)*or set data\.encoding"):
        prepare_csv(rows.encode("cp1252"), "prepare.max_rejected_share=0.05")


def test_columns_nobody_named_do_no_harm_and_are_reported(
    prepare_csv: PrepareCsv, workspace: Path, tmp_path: Path
) -> None:
    """Two exports of pandas with its index, and the empty columns of a spreadsheet."""
    (tmp_path / "users.csv").write_text(",Unnamed: 0,user_id,age,\n7,8,ann,30,\n", encoding="utf-8")
    report = prepare_csv(
        ",Unnamed: 0,event_type,timestamp,user_id,item_id,note,note,,\n"
        "0,0,purchase,2024-05-01,ann,tea,a,b,,\n1,1,purchase,2024-05-02,ann,jam,a,b,,\n",
        f"data.users={tmp_path / 'users.csv'}",
    )
    assert report.num_events == 2
    names = ["Unnamed: 0 (column 1)", "Unnamed: 0 (column 2)"]
    assert report.unused_columns["events"] == [
        *names,
        "note (column 7)",
        "note (column 8)",
        "Unnamed: 8",
        "Unnamed: 9",
    ]
    assert report.unused_columns["users"] == [*names, "Unnamed: 4"]
    assert Tables.open(workspace / "tables").users.collect()["attributes"].to_list() == ['{"age":"30"}']


def test_two_columns_for_one_of_ours(prepare_csv: PrepareCsv, workspace: Path) -> None:
    rows = "event_type,timestamp,user_id,item_id,price,price\n" + "purchase,2024-05-01,ann,tea,1,2\n" * 2
    with pytest.raises(DataError, match=r"two columns are named 'price'.*event_columns: \{price: 'price \("):
        prepare_csv(rows)
    prepare_csv(rows, "data.event_columns={price: price (column 6)}")
    assert events_in(workspace)["price"].to_list() == [2.0, 2.0]


@pytest.mark.parametrize("columns", ["{item_id: sku}", "{}"])
def test_a_file_without_a_header_is_an_error_that_shows_no_row(prepare_csv: PrepareCsv, columns: str) -> None:
    rows = "2024-05-01,ann,tea,purchase\n2024-05-02,bob,jam,purchase\n"
    with pytest.raises(DataError, match=r"first line looks like a row of data: put a line with") as error:
        prepare_csv(rows, f"data.event_columns={columns}")
    assert "ann" not in str(error.value)
