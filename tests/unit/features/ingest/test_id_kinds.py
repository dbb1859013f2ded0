"""Events, catalogue and users whose ids are of two kinds."""

from __future__ import annotations

from pathlib import Path

import odd_shop
import polars as pl
import pytest
from odd_shop import usual

from configs.exceptions import TooLittleDataError, TrainingError
from features.ingest.id_kinds import why_ids_differ
from features.ingest.report import Report
from features.ingest.report_table import render_report
from features.prepare import prepare
from training.train import train


def catalogue(form: str, *, items: int = 12) -> list[dict[str, object]]:
    return [{"id": form.format(number), "title": f"Tea {number}"} for number in range(items)]


def test_lost_zeros_are_a_no_go_and_training_says_so_before_it_fits(tmp_path: Path) -> None:
    rows = [row | {"item_id": str(row["item_id"]).removeprefix("i")} for row in usual()]
    config = odd_shop.settings(tmp_path, rows, items=catalogue("000{}"))
    cause = (
        r"the events have ids such as '0', the catalogue such as '0000'\. Without leading zeros they match"
    )
    with pytest.raises(TooLittleDataError, match=r"item of 128 of 128 item events.*" + cause):
        prepare(config, now=odd_shop.NOW)
    assert not (config.workspace / "dataset").exists()

    lenient = odd_shop.settings(tmp_path, rows, "prepare.min_catalogue_share=0", items=catalogue("000{}"))
    prepare(lenient, now=odd_shop.NOW)
    with pytest.raises(
        TrainingError, match=r"none of the 12 items with events is in the catalogue.*" + cause
    ):
        train(lenient)
    assert not (config.workspace / "runs").exists()


def test_a_catalogue_that_is_sold_out_stops_training_too(tmp_path: Path) -> None:
    items = [row | {"availability": "out of stock"} for row in catalogue("i{}", items=10)]
    config = odd_shop.settings(tmp_path, usual(), items=items)
    prepare(config, now=odd_shop.NOW)
    with pytest.raises(
        TrainingError, match=r"2 of 12 items with events are not in the catalogue.*out of stock"
    ):
        train(config)


def test_a_part_of_the_catalogue_or_none_is_no_fault(tmp_path: Path) -> None:
    report = prepare(odd_shop.settings(tmp_path, usual(), items=catalogue("i{}", items=2)), now=odd_shop.NOW)
    assert report.events_without_catalogue
    report = prepare(odd_shop.settings(tmp_path, usual()), now=odd_shop.NOW)
    assert report.events_without_catalogue is None
    assert "not in the catalogue" not in shown(report)
    assert "12 with an event, no catalogue" in shown(report)


def test_ids_of_the_users_table_that_match_nobody_are_counted_with_and_without_consent(
    tmp_path: Path,
) -> None:
    users = [{"user_id": user, "consent": consent} for user, consent in (("u1", "yes"), ("u2", "no"))]
    strangers = [{"user_id": f"U{user}", "consent": "no" if user % 2 else "yes"} for user in range(3, 8)]
    report = prepare(odd_shop.settings(tmp_path, usual(), users=users + strangers), now=odd_shop.NOW)
    assert report.users_without_events == 5
    assert "5 ids of the users table" in shown(report)
    assert not report.remarks

    report = prepare(odd_shop.settings(tmp_path, usual(), users=strangers), now=odd_shop.NOW)
    (remark,) = report.remarks
    assert "neither its consent nor its attributes are used: the events have ids such as 'u0'" in remark
    assert "the users table such as 'U3'" in remark


@pytest.mark.parametrize(
    ("in_events", "in_table", "words"),
    [
        (["4051", "7"], ["0004051", "07"], "'4051', the catalogue such as '0004051'. Without leading zeros"),
        (["ab", "cd"], ["CD", "AB"], "'ab', the catalogue such as 'AB'. They differ in upper and lower case"),
        (["p-1", "p-2"], ["9", "8"], "'p-1', the catalogue such as '8'. Save the ids"),
        (["1", "2", "3"], ["01", "x"], "'1', the catalogue such as '01'. Save the ids"),
    ],
)
def test_the_likely_cause(in_events: list[str], in_table: list[str], words: str) -> None:
    assert words in why_ids_differ(pl.Series(in_events), pl.Series(in_table), table="catalogue")


def shown(report: Report) -> str:
    from rich.console import Console

    console = Console(width=200)
    with console.capture() as capture:
        console.print(render_report(report))
    return capture.get()
