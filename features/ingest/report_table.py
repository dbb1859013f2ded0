"""The report of `shopkeeper prepare` as a table on the terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from features.ingest.lost_rows import LostRows
from features.ingest.report import BOT_EVENTS_A_DAY, Report
from features.ingest.windows import Window


def render_report(report: Report) -> RenderableType:
    """The figures, the rejected and dropped rows, and the verdict: for `rich.console.Console.print`."""
    table = Table(title="The data", show_header=False, box=None, padding=(0, 2), title_justify="left")
    for name, value in _figures(report):
        table.add_row(name, Text(value))
    if report.no_go:
        verdict = Text(f"No-go: {report.no_go}.", style="bold red")
    else:
        verdict = Text("Go: there is enough to train on.", style="bold green")
    return Group(table, verdict)


def _figures(report: Report) -> list[tuple[str, str]]:
    event_types = ", ".join(f"{name} {count:,}" for name, count in report.event_types.items())
    figures = [
        ("rows read", ", ".join(f"{table} {count:,}" for table, count in report.rows.items())),
        ("events kept", f"{report.num_events:,} ({event_types})"),
        ("users", f"{report.num_users:,}, of whom {report.num_active_users:,} have two or more item events"),
        ("items", f"{report.num_items:,} with an event, {_catalogue(report)}"),
        ("time", _time(report)),
        ("density", f"{report.density:.3%} of all user-item pairs"),
    ]
    if report.events_without_catalogue is not None:
        figures.append(("not in the catalogue", f"the item of {report.events_without_catalogue:,} events"))
    if report.users_without_events is not None:
        figures.append(("not in the events", f"{report.users_without_events:,} ids of the users table"))
    if report.repeat_purchase_share is not None:
        figures.append(("bought again", f"{report.repeat_purchase_share:.1%} of purchases"))
    for name, quantiles in (
        ("rows per basket", report.basket_size),
        ("events per session", report.session_length),
    ):
        if quantiles:
            figures.append((name, ", ".join(f"{share} {size:,.0f}" for share, size in quantiles.items())))
    figures += [(f"{window.name} window", _window(window)) for window in report.windows]
    figures += [("rejected", f"{count:,} × {reason}") for reason, count in report.rejected.items()]
    for table, lost in report.lost.items():
        figures += _lost(table, lost)
    figures += [("dropped", f"{count:,} × {reason}") for reason, count in report.dropped.items()]
    figures += [
        ("columns not used", f"{table}: {', '.join(names)}") for table, names in report.unused_columns.items()
    ]
    figures += [("remark", remark) for remark in report.remarks]
    figures += [("warning", f"{warning}.") for warning in report.warnings]
    if report.suspected_bots:
        bots = ", ".join(report.suspected_bots)
        figures.append(("suspected bots", f"{bots} (over {BOT_EVENTS_A_DAY:,} events in a day; kept)"))
    return figures


def _window(window: Window) -> str:
    found = f"{window.target_events:,} target events of {window.users:,} users"
    if window.first_time is None or window.until is None:
        return found
    share = f"{window.users_with_history / window.users:.1%}" if window.users else "none"
    return f"{window.first_time[:16]} to {window.until[:16]}: {found}; {share} of them have events before it"


def _lost(table: str, lost: LostRows) -> list[tuple[str, str]]:
    """What the rejected rows of a table take away as a whole."""
    figures = []
    if lost.num_items:
        names = ", ".join(lost.items) + (" …" if lost.num_items > len(lost.items) else "")
        share = f"{lost.row_share:.1%} of the {table}"
        if lost.revenue_share is not None:
            share += f", {lost.revenue_share:.1%} of the revenue"
        rows = f"all their {lost.num_rows:,} rows of the {table} were rejected ({share})"
        figures.append(("lost items", f"{lost.num_items:,}: {names}; {rows}"))
    figures += [
        ("lost prices", f"{prices}: all {count:,} rows of the {table} with such a price were rejected")
        for prices, count in lost.price_ranges.items()
    ]
    return figures


def _catalogue(report: Report) -> str:
    if report.events_without_catalogue is None:
        return "no catalogue"
    return f"{report.num_catalogue:,} in the catalogue"


def _time(report: Report) -> str:
    if report.first_time is None:
        return "none: the order of the rows is used"
    return f"{report.first_time} to {report.last_time} ({report.days:,.0f} days)"
