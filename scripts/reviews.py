"""`shopkeeper reviews`: what customers praise, what they complain of, and what changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from scripts.options import ConfigOption, OutOption, SetOption, load_settings

if TYPE_CHECKING:
    import polars as pl
    from rich.table import Table

    from configs.schema import Config
    from training.reviews.summarise import ReviewTables

LONGEST_TITLE: Final = 40
LONGEST_QUOTE: Final = 60


def reviews(
    config: ConfigOption = None,
    set_: SetOption = None,
    out: OutOption = None,
    num: Annotated[
        int, typer.Option("--num", "-n", min=1, max=1000, help="How many rows of each table are printed.")
    ] = 10,
) -> None:
    """Print which products are praised and complained of, for what, and what changed lately.

    It reads `data.reviews`, and needs no other command before it. A small network learns from your own
    ratings what content customers write; it is kept until the reviews change. Every table goes to the folder
    `reviews` in the workspace, with a README.txt.

        shopkeeper reviews -c my_shop.yaml -s data.reviews=reviews.csv
    """
    settings = load_settings(config, set_, out)
    from datetime import UTC, datetime

    from configs.console import log, stdout
    from serving.state.forgotten_users import forgotten_users
    from serving.state.store_location import store_location
    from training.reviews.summarise import summarise_reviews

    found = summarise_reviews(
        settings, now=datetime.now(UTC), forgotten=forgotten_users(store_location(settings)), log=log
    )
    for remark in found.remarks:
        log(remark)
    stdout().print(summary(found), markup=False)
    for table in tables(found, settings, num=num):
        stdout().print()
        stdout().print(table)
    if not found.changes["is_significant"].any():
        stdout().print(f"\n{nothing_changed(found, settings)}", markup=False)
    log(f"Written: {settings.workspace / 'reviews'}")


def summary(found: ReviewTables) -> str:
    """One sentence about all reviews."""
    reviews = found.reviews
    negative = reviews["negative"]
    from_, to = (str(time)[:10] for time in (reviews["timestamp"].min(), reviews["timestamp"].max()))
    parts = [f"{int((~negative).sum()):,} content", f"{int(negative.sum()):,} discontented"]
    if unknown := negative.null_count():
        parts.append(f"{unknown:,} unknown (no rating, or a language that the network does not read)")
    return (
        f"{_count(len(reviews), 'review')} of {_count(reviews['item_id'].n_unique(), 'product')}, {from_} to "
        f"{to}: "
        f"{', '.join(parts)}."
    )


def tables(found: ReviewTables, config: Config, *, num: int) -> list[Table]:
    """What is complained of, what is praised, what changed: those that have a row."""
    import polars as pl

    titles = _titles(config)
    shown = found.aspects.filter(
        ~pl.col("aspect").is_in(["other", "overall"]), pl.col("mentions") >= config.reviews.min_mentions
    )
    complained = shown.filter(pl.col("negative") > 0).head(num)
    praised = shown.filter(pl.col("share") < 0.5).sort("high", "mentions", descending=[False, True]).head(num)
    changed = found.changes.filter("is_significant").head(num)
    made = []
    if len(complained):
        made.append(_aspects(complained, titles, heading="Most complained of", quote="complaint"))
    if len(praised):
        made.append(_aspects(praised, titles, heading="Most praised", quote="praise"))
    if len(changed):
        made.append(_changes(changed, titles, config))
    return made


def nothing_changed(found: ReviewTables, config: Config) -> str:
    """Why there is no table of changes."""
    days = f"the last {config.reviews.window_days:g} days"
    if found.changes.is_empty():
        return (
            f"What changed in {days}: no aspect has {config.reviews.min_mentions} mentions in them and "
            "before, so nothing was tested (reviews.min_mentions)."
        )
    return (
        f"What changed in {days}: nothing that chance would not explain, of {len(found.changes):,} aspects "
        "tested."
    )


def _aspects(rows: pl.DataFrame, titles: dict[str, str], *, heading: str, quote: str) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    table.add_column(heading, overflow="fold")
    table.add_column("aspect", no_wrap=True)
    for name in ("mentions", "complaints", "to be expected"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("such as", overflow="fold")
    for row in rows.iter_rows(named=True):
        table.add_row(
            Text(_name(row["item_id"], titles)),  # no markup: names may hold [/b]
            row["aspect"],
            f"{row['mentions']:,}",
            f"{row['negative']:,}",
            f"{row['expected']:.0%} ({row['low']:.0%} to {row['high']:.0%})",
            Text(_cut(row[quote] or "", LONGEST_QUOTE)),
        )
    return table


def _changes(rows: pl.DataFrame, titles: dict[str, str], config: Config) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    table.add_column(f"Changed in {config.reviews.window_days:g} days", overflow="fold")
    table.add_column("aspect", no_wrap=True)
    for name in ("complaints", "before", "now"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("such as", overflow="fold")
    for row in rows.iter_rows(named=True):
        table.add_row(
            Text("the whole shop" if row["scope"] == "shop" else _name(row["item_id"], titles)),
            row["aspect"],
            row["direction"],
            f"{row['share_before']:.0%} of {row['mentions_before']:,}",
            f"{row['share_now']:.0%} of {row['mentions_now']:,}",
            Text(_cut(row["example"] or "", LONGEST_QUOTE)),
        )
    return table


def _titles(config: Config) -> dict[str, str]:
    """Item → its title, where `shopkeeper prepare` read a catalogue."""
    import polars as pl

    path = config.workspace / "tables" / "items.parquet"
    if not path.is_file():
        return {}
    return dict(pl.read_parquet(path, columns=["id", "title"]).drop_nulls().iter_rows())


def _name(item: str, titles: dict[str, str]) -> str:
    return _cut(f"{titles[item]} ({item})" if item in titles else item, LONGEST_TITLE)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _cut(text: str, longest: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 1] + "…"
