"""`shopkeeper product-bundles`: what could be sold together, with its price."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from scripts.options import ConfigOption, OutOption, SetOption, load_settings

if TYPE_CHECKING:
    import polars as pl
    from rich.table import Table

    from features.interactions import Interactions

TABLE_FILE: Final = "product_bundles.parquet"
LONGEST_TITLE: Final = 40


def product_bundles(
    config: ConfigOption = None,
    set_: SetOption = None,
    out: OutOption = None,
    table: Annotated[
        Path | None,
        typer.Option(
            "--table",
            help="Where all of them go: a .parquet or .csv file. Default: `product_bundles.parquet` in the "
            "workspace.",
            metavar="FILE",
        ),
    ] = None,
    num: Annotated[
        int, typer.Option("--num", "-n", min=1, max=1000, help="How many of each size are printed.")
    ] = 10,
    min_together: Annotated[
        int, typer.Option("--min-together", min=2, help="Baskets that hold all of a bundle, at least.")
    ] = 10,
) -> None:
    """Print bundles of two and three products that are bought together, with their price, and write them all.

    It needs `shopkeeper prepare` alone. A bundle's products stand in one basket more often than chance would
    have it, its price is the sum of their present prices, and nothing in it is sold out, a variant of another
    product in it or much like one. **together**: baskets with all of them. **confidence**: of the baskets
    with the others, the share that holds the last one too. **lift**: how many times as often as by chance.

        shopkeeper product-bundles -c my_shop.yaml --table bundles.csv
    """
    settings = load_settings(config, set_, out)
    from configs.console import log, stdout
    from configs.exceptions import ConfigError
    from features.dataset import Dataset
    from features.interactions import Interactions
    from features.splits import split_point_at

    path = table or settings.workspace / TABLE_FILE
    if path.suffix not in (".parquet", ".csv"):
        raise ConfigError(f"--table {path}: name a .parquet or a .csv file.")
    dataset = Dataset.open(settings.workspace / "dataset")
    full = split_point_at(dataset, int(dataset.manifest["last_time"]) + 1, name="full")
    interactions = Interactions.before(dataset, full, settings)
    found = bundles_of(interactions, min_together=min_together)
    write_table(found, path)
    for size in (2, 3):
        best = found.filter(found["size"] == size).head(num)
        if len(best):
            stdout().print(rendered(best))
    log(f"{len(found):,} bundles: {path}" if len(found) else nothing_found(min_together))


def bundles_of(interactions: Interactions, *, min_together: int) -> pl.DataFrame:
    """The bundles of a shop, best first: see `product_bundles`."""
    from features.profiles.item_relations import are_alike, item_relations
    from features.profiles.itemsets import associated_triples
    from features.profiles.product_bundles import product_bundles
    from features.profiles.transactions import baskets

    catalogue = interactions.catalogue()
    pairs = item_relations(interactions, min_together=min_together).complements
    pairs = pairs.take(~are_alike(interactions.categories, catalogue, pairs))
    triples = associated_triples(baskets(interactions), pairs)
    return product_bundles(pairs, triples, catalogue)


def write_table(bundles: pl.DataFrame, path: Path) -> None:
    """Write them, whole or not at all. Raises ArtefactError where the folder is not there."""
    from features.core.artefact import writing_file
    from features.core.csv_files import write_csv

    if path.suffix == ".csv":
        write_csv(bundles, path)
        return
    with writing_file(path) as scratch:
        bundles.write_parquet(scratch)


def rendered(bundles: pl.DataFrame) -> Table:
    """A row a bundle."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    table.add_column(f"{bundles['size'][0]} products", overflow="fold")
    for heading in ("together", "support", "confidence", "lift", "price"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in bundles.iter_rows(named=True):
        titles = [row[f"title_{place}"] for place in range(1, row["size"] + 1)]
        price = "unknown" if row["price"] is None else f"{row['price']:,.2f} {row['currency'] or ''}".strip()
        table.add_row(
            Text(" + ".join(map(_cut, titles))),  # no markup: names may hold [/b]
            f"{row['together']:,}",
            f"{row['support']:.2%}",
            f"{row['confidence']:.0%}",
            f"{row['lift']:,.1f}",
            price,
        )
    return table


def nothing_found(min_together: int) -> str:
    """Why a table is empty, and what to do."""
    return (
        f"No bundles: no two products stand together in {min_together} baskets more often than by chance, or "
        "they are much alike or sold out. A lower --min-together finds rarer ones."
    )


def _cut(title: str) -> str:
    return title if len(title) <= LONGEST_TITLE else title[: LONGEST_TITLE - 1] + "…"
