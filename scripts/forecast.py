"""`shopkeeper forecast`: who buys, who leaves, and how much is to be expected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from scripts.options import ConfigOption, OutOption, SetOption, load_settings

if TYPE_CHECKING:
    from rich.table import Table

    from training.forecasts.forecast import ShopForecast

SYSTEMS: Final = {"lightgbm": "boosted trees", "bg_nbd": "BG/NBD", "rfm": "RFM rules"}
"""System → what people read"""
ROWS: Final = (
    ("auc", "order found (AUC; 1 all, .5 chance)", "{:.3f}"),
    ("brier", "squared error of the probability (Brier)", "{:.4f}"),
    ("calibration_error", "said and came true apart, by tenths", "{:.3f}"),
    ("lift", "first tenth buys … times as often as all", "{:.2f}"),
    ("orders_error", "orders a customer, wrong by", "{:.2f}"),
    ("orders_sum", "all orders: said / came", "{:.2f}"),
    ("spend_error", "spend a customer, wrong by", "{:,.2f}"),
    ("spend_sum", "all spend: said / came", "{:.2f}"),
)
"""Metric, what people read, form"""


def forecast(
    config: ConfigOption = None,
    set_: SetOption = None,
    out: OutOption = None,
    days: Annotated[
        int | None,
        typer.Option("--days", help="Forecast so many days. Default: the setting `forecasts.days`, 30."),
    ] = None,
    csv: Annotated[
        bool,
        typer.Option("--csv", help="Write `users.csv` beside `users.parquet`: those who may be exported."),
    ] = False,
) -> None:
    """Say who buys within the next days, who has left, and how many orders and how much spend to expect.

    It needs `shopkeeper prepare` alone, and the extra `customers`. First it forecasts the last days from
    those before them and prints how right that was, boosted trees beside BG/NBD and RFM rules. Then it learns
    from everything and writes `forecasts/` in the workspace: `users.parquet`, a row a customer,
    `evaluation.json` and `purchase_cycle.json`.

        shopkeeper forecast -c my_shop.yaml --days 30 --csv
    """
    settings = load_settings(
        config, [*(set_ or ()), *([f"forecasts.days={days}"] if days is not None else [])], out
    )
    from configs.console import log, stdout
    from scripts.priority import let_servers_go_first
    from serving.state.forgotten_users import forgotten_users, live_attributes
    from serving.state.store_location import store_location
    from training.forecasts.forecast import forecast as run_forecast
    from training.tracking.forecasts import log_forecasts

    let_servers_go_first()
    store = store_location(settings)
    found = run_forecast(
        settings,
        csv=csv,
        forgotten=forgotten_users(store),
        live=live_attributes(store) if settings.customers.consent else (),
        progress=log,
    )
    out_ = stdout()
    out_.print(judged_text(found.evaluation), markup=False)
    out_.print(judged_table(found.evaluation))
    out_.print()
    for line in expected_lines(found, settings.forecasts.days):
        out_.print(line, markup=False)
    log_forecasts(found.folder, found.evaluation, settings)
    log(f"{len(found.users):,} customers: {found.folder / 'users.parquet'}")


def judged_text(evaluation: dict[str, Any]) -> str:
    """Of what the table is."""
    sample = evaluation["customers_in_all"]
    drawn = "" if sample == evaluation["customers"] else f" (drawn from {sample:,})"
    return (
        f"As of {evaluation['as_of'][:10]}, judged by the {evaluation['days']} days after it: "
        f"{evaluation['customers']:,} customers{drawn}, {evaluation['share_bought']:.1%} of whom ordered."
    )


def judged_table(evaluation: dict[str, Any]) -> Table:
    """A row a metric, a column a system."""
    from rich.table import Table

    systems = evaluation["systems"]
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for system in systems:
        table.add_column(SYSTEMS[system], justify="right", no_wrap=True)
    for metric, label, form in ROWS:
        values = [one.get(metric) for one in systems.values()]
        if any(value is not None for value in values):
            table.add_row(label, *("–" if value is None else form.format(value) for value in values))
    return table


def expected_lines(found: ShopForecast, days: int) -> list[str]:
    """What is to be expected, in sentences."""
    users = found.users
    buyers, orders = users["purchase_probability"].sum(), users["expected_orders"].sum()
    has_prices = not users["expected_spend"].null_count()
    spend = f", {users['expected_spend'].sum():,.2f} {found.currency or ''}".rstrip() if has_prices else ""
    lines = [
        f"In the {days} days from {users['as_of'][0]:%Y-%m-%d} on: {buyers:,.0f} of {len(users):,} customers "
        f"are expected to order; {orders:,.0f} orders (days with one){spend}.",
        left_line(found),
    ]
    if not has_prices:
        lines.append("No purchase has a price, so nothing is said of spend.")
    whole = found.cycles[0]
    within = f"{whole.within_days:.0%} within {days}"
    if whole.median_days is not None:
        lines.append(
            "Half of all orders are followed by the customer's next one within "
            f"{whole.median_days:.0f} days, {within} (Kaplan-Meier)."
        )
    elif whole.orders:
        lines.append(
            f"Fewer than half of all orders are seen to be followed by another; {within} days (Kaplan-Meier)."
        )
    return lines


def left_line(found: ShopForecast) -> str:
    """Who has left, and whether that was true a window ago."""
    judged, gone = found.evaluation["left"], int(found.users["has_left"].sum())
    if not gone:
        said = "Of nobody it is probable that they have left: each silence can be that of a slow customer."
    else:
        said = f"{gone:,} have probably left (alive_probability below 50 %)."
    if judged["customers"]:
        said += (
            f" A window ago that was said of {judged['customers']:,}: "
            f"{judged['bought_nevertheless']:.1%} of them ordered nevertheless"
        )
        said += (
            f", {judged['others_bought']:.1%} of the others." if judged["others_bought"] is not None else "."
        )
    return said
