"""Ids that stand for nobody: missing where the setting names them, else remarked on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from configs.load import load_config
from features.ingest.report import Report
from features.ingest.tables import Tables

PrepareCsv = Callable[..., Report]

HEADER = "event_type,timestamp,user_id,visitor_id,item_id,transaction_id\n"
PEOPLE = "".join(
    f"purchase,2024-05-{day:02},u{user},,tea,u{user}-{day}\n" for user in range(12) for day in (1, 2)
)
GUESTS = "".join(f"purchase,2024-05-03T10:{minute},0.0,,jam,g{minute}\n" for minute in range(10, 40))


def test_excluded_ids_are_missing_ids(prepare_csv: PrepareCsv, tmp_path: Path, workspace: Path) -> None:
    rows = "purchase,2024-05-04,NULL,v1,tea,\npurchase,2024-05-05,ann,guest,tea,\n,2024-05-05,guest,,tea,\n"
    report = prepare_csv(HEADER + PEOPLE + GUESTS + rows, "data.exclude=[0, 'NULL', guest]")
    assert report.dropped == {"id in data.exclude, and no other": 31}
    assert report.rejected == {}
    assert report.rows["events"] == 24 + 30 + 3
    assert report.remarks == []
    events = Tables.open(workspace / "tables").events.collect()
    assert events.tail(2).select("user_id", "visitor_id").rows() == [(None, "v1"), ("ann", None)]


def test_an_id_with_too_large_a_share_is_named_with_the_setting(prepare_csv: PrepareCsv) -> None:
    (remark,) = prepare_csv(HEADER + PEOPLE + GUESTS).remarks
    assert remark.startswith("'0' has 56% of the item events.")
    assert "data.exclude: ['0']" in remark
    (remark,) = prepare_csv(HEADER + PEOPLE + GUESTS.replace("0.0,", ",0")).remarks
    assert remark.startswith("'visitor:0' has")
    assert "data.exclude: ['0']" in remark
    views = PEOPLE.replace("purchase", "view_item") * 3
    (remark,) = prepare_csv(HEADER + PEOPLE + views + GUESTS).remarks
    assert remark.startswith("'0' has 56% of the orders.")
    assert prepare_csv(HEADER + PEOPLE).remarks == []


@pytest.mark.parametrize(("value", "expected"), [("[0]", ("0",)), ("['0', guest]", ("0", "guest"))])
def test_numbers_may_be_excluded_as_such(value: str, expected: tuple[str, ...]) -> None:
    assert load_config(overrides=[f"data.exclude={value}"]).data.exclude == expected
