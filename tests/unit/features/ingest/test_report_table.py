from __future__ import annotations

import io
from collections.abc import Callable

from rich.console import Console

from features.ingest.report import Report
from features.ingest.report_table import render_report


def test_the_report_reads_as_text_and_user_ids_are_no_markup(prepare_csv: Callable[..., Report]) -> None:
    robot = "view_item,2024-05-02T10:00:00Z,[red]bob,jam\n" * 1001
    report = prepare_csv("event_type,timestamp,user_id,item_id\n" + robot + "view_item,,ann,tea\n")
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(render_report(report))
    text = console.export_text()
    assert "1 × events: timestamp is missing" in text
    assert "[red]bob" in text
    assert "Go: there is enough" in text
