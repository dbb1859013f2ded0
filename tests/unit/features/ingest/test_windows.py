"""What `prepare` says of the windows that the data will be split into."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from configs.exceptions import ConfigError, TooLittleDataError
from configs.load import load_config
from features.dataset import Dataset
from features.ingest.report import Report
from features.ingest.report_table import render_report
from features.ingest.windows import inspect_windows
from features.prepare import prepare
from features.splits import split_points, targets_between

START = datetime(2015, 1, 1, 12, tzinfo=UTC)
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
Prepare = Callable[..., Report]


def bought(user: object, item: object, time: datetime, event_type: str = "purchase") -> str:
    return f"{event_type},{time.isoformat()},{user},{item}\n"


SHOP = [
    bought(f"u{user}", f"i{(user + 7 * visit) % 13}", START + timedelta(days=3 * visit + user / 30))
    for user in range(30)
    for visit in range(40)
]
"""30 users, of whom each buys something every third day up to the end of April 2015."""
VISITS = [
    bought(f"v{n}", f"i{n % 9 + click}", START + timedelta(hours=2 * n, minutes=click), "view_item")
    for n in range(600)
    for click in range(3)
]
"""Every two hours a visitor without a past looks at three items."""
STRAY = [bought(f"u{n}", "i1", datetime(2026, 1, 2 + n, 9, tzinfo=UTC)) for n in range(5)]


@pytest.fixture
def prepare_rows(tmp_path: Path, workspace: Path) -> Prepare:
    """Prepare rows at the default settings, as of `NOW`."""

    def run(rows: Iterable[str], *overrides: str, show: Callable[[Report], None] | None = None) -> Report:
        events = tmp_path / "events.csv"
        events.write_text("event_type,timestamp,user_id,item_id\n" + "".join(rows), encoding="utf-8")
        config = load_config(overrides=[f"data.events={events}", *overrides], workspace=workspace)
        return prepare(config, now=NOW, show=show)

    return run


def test_a_few_events_long_after_the_rest_are_a_no_go_that_names_them_and_the_remedy(
    prepare_rows: Prepare, workspace: Path
) -> None:
    message = (
        r"No-go: 0 users have one of history\.targets \(purchase\) to predict in the validation window "
        r"\(2025-11-11.* to 2025-12-09.*5 events from 2026-01-02 to 2026-01-06, 3,9\d\d days after all "
        r"others: data\.until=2015-04-29 leaves them out"
    )
    with pytest.raises(TooLittleDataError, match=message):
        prepare_rows(SHOP + STRAY)
    assert not workspace.exists()
    report = prepare_rows(SHOP + STRAY, "data.until=2015-04-29")
    assert report.no_go is None
    assert report.dropped == {"after data.until=2015-04-29": 5}
    assert report.rows["events"] == len(SHOP) + 5
    assert [window.users for window in report.windows] == [30, 30]


def test_dates_that_were_moved_to_today_are_named_as_the_file_has_them(prepare_rows: Prepare) -> None:
    with pytest.raises(TooLittleDataError, match=r"from 2026-01-02 .* data\.until=2015-04-29"):
        prepare_rows(SHOP + STRAY, "data.shift_to_today=true")
    report = prepare_rows(SHOP + STRAY, "data.shift_to_today=true", "data.until=2015-04-29")
    assert report.last_time is not None
    assert report.last_time.startswith("2026-06-0"), "the last event that is kept is of today"
    assert report.warnings == []


def test_a_stray_tail_beside_usable_windows_and_a_gap_are_warnings(prepare_rows: Prepare) -> None:
    late = [bought(f"u{n}", "i1", START + timedelta(days=140, hours=n)) for n in range(8)]
    gone = [row for row in SHOP if not "2015-02" < row.split(",")[1] < "2015-03-05"]
    report = prepare_rows(gone + late, "data.shift_to_today=true", "prepare.min_item_events=800")
    gap, tail = report.warnings
    assert gap.startswith("no item event for 3")
    assert "8 events of 2015-05-21" in tail
    assert "data.until=2015-04-29" in tail


@pytest.mark.parametrize(
    ("rows", "overrides", "message"),
    [
        (
            SHOP,
            ["split.window_days=70"],
            r"spans 118\.0 days, but split\.window_days=70.*split\.window_days=20",
        ),
        (
            [row.replace("purchase", "view_item") for row in SHOP],
            [],
            r"set history\.targets to event types that the data has: view_item \(1,200\)",
        ),
        (
            [row.replace("purchase", "view_item") for row in SHOP[40:]] + SHOP[:40],
            [],
            r"1 user has.*set a longer split\.window_days, or other history\.targets",
        ),
        (
            [bought(f"u{n % 30}", f"i{n}", START) for n in range(1200)],
            ["split.kind=leave_one_out"],
            r"0 users have.*three or more baskets at times of their own, or set data\.clock=ordinal",
        ),
    ],
)
def test_windows_without_users_are_a_no_go(
    prepare_rows: Prepare, rows: list[str], overrides: list[str], message: str
) -> None:
    shown: list[Report] = []
    with pytest.raises(TooLittleDataError, match=message):
        prepare_rows(rows, *overrides, show=shown.append)
    assert shown[0].no_go
    assert prepare_rows(rows, *overrides, "prepare.min_window_users=0").no_go is None


def test_old_data_is_said_once_with_the_setting_that_moves_it(prepare_rows: Prepare) -> None:
    (warning,) = prepare_rows(SHOP).warnings
    assert "the last event is of 2015-04-29, 4,0" in warning
    assert "data.shift_to_today=true" in warning
    assert prepare_rows(SHOP, "data.shift_to_today=true").warnings == []


def test_visitors_without_a_past_are_counted_and_the_split_for_them_is_named(prepare_rows: Prepare) -> None:
    settings = ("history.targets={view_item: 1}", "split.window_days=10", "data.shift_to_today=true")
    report = prepare_rows(VISITS, *settings)
    assert [window.users_with_history for window in report.windows] == [0, 0]
    (warning,) = report.warnings
    assert "only 0.0% of the 120 users of the test window have an event before it" in warning
    assert "split.kind=session" in warning
    console = Console(width=300, record=True, file=io.StringIO())
    console.print(render_report(report))
    text = console.export_text()
    assert "360 target events of 120 users; 0.0% of them have events before it" in text
    assert "warning" in text


@pytest.mark.parametrize(("kind", "rows"), [("window", SHOP), ("leave_one_out", SHOP), ("session", VISITS)])
def test_the_windows_are_those_that_training_will_split(
    prepare_rows: Prepare, workspace: Path, kind: str, rows: list[str]
) -> None:
    targets = "history.targets={purchase: 1, view_item: 1}"
    overrides = (targets, f"split.kind={kind}", "split.window_days=10")
    report = prepare_rows(rows, *overrides)
    config, dataset = load_config(overrides=overrides), Dataset.open(workspace / "dataset")
    points = split_points(dataset, config.split)
    split = [
        len(targets_between(dataset, *pair, targets=config.history.targets)) for pair in pairwise(points)
    ]
    assert [window.users for window in report.windows] == split
    assert min(split) >= 30


def test_the_last_baskets_of_users_are_their_windows() -> None:
    rows = [(0, 1, None), (0, 2, 7), (0, 3, 7), (0, 9, None), (1, 1, None), (1, 1, None), (1, 5, None)]
    frame = pl.DataFrame(
        {
            "_user": [user for user, *_ in rows],
            "event_type": ["purchase"] * len(rows),
            "timestamp": [START + timedelta(days=day) for _, day, _ in rows],
            "transaction_id": [basket for *_, basket in rows],
        }
    ).sort("timestamp")
    config = load_config(overrides=["split.kind=leave_one_out", "prepare.min_window_users=2"])
    found = inspect_windows(frame, config=config, now=START)
    assert [(window.users, window.target_events) for window in found.windows] == [(1, 2), (1, 1)]
    assert found.no_go is not None


def test_a_day_without_times_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"data\.until needs real times.*data\.clock=ordinal"):
        load_config(overrides=["data.until=2020-01-01", "data.clock=ordinal", "split.kind=leave_one_out"])
