"""Readable titles from till names: `FRZN SS PREMIUM ENTREES/DNRS/N` → `Frozen Premium Entrees/Dinners`."""

from __future__ import annotations

from typing import Final

import polars as pl

_ABBREVIATIONS: Final = {
    r"Frzn": "Frozen",
    r"Sft": "Soft",
    r"Sngl Srv": "Single Serve",
    r"Sgl Sv/Vend Mach Snacks": "Single Serve Snacks",
    r"Non-Crbntd Drnking/Mneral Wate": "Still Drinking Water",
    r"Refrgratd|Rfg|Refrig": "Refrigerated",
    r"Dnrs?|Dnr": "Dinners",
    r"Veg": "Vegetable",
    r"Dsh": "Dishes",
    r"Bkd Fd": "Baked Food",
    r"Bn": "Bean",
    r"Sald Drsng": "Salad Dressing",
    r"Sndwch Sprd": "Sandwich Spread",
    r"Drnks?": "Drinks",
    r"Juces?": "Juices",
    r"Mxs": "Mixes",
    r"Misc": "Miscellaneous",
    r"Catfd": "Cat Food",
    r"Dogfd": "Dog Food",
    r"Pnch": "Punch",
    r"Pnt Btr": "Peanut Butter",
    r"Wtr": "Water",
    r"Mixs": "Mixes",
    r"Chococlate|Chococolate": "Chocolate",
    r"Beeralemalt": "Beer, Ale, Malt",
    r"Iws": "Sliced",
    r"Br": "Bread",
    r"Prem": "Premium",
    r"Pkgd|Pkg|Pckgd": "Packaged",
    r"Btls?|Btl": "Bottles",
    r"Carb": "Carbonated",
    r"Choc": "Chocolate",
    r"Chs": "Cheese",
    r"Whl": "Whole",
    r"Bnls": "Boneless",
    r"Sply": "Supplies",
    r"Grnd": "Ground",
    r"Sprds?": "Spreads",
    r"Shrtn": "Shortening",
    r"Marg": "Margarine",
    r"Swt": "Sweet",
    r"Crm": "Cream",
    r"Flvr": "Flavour",
    r"Drug Gm": "Drug & General",
    r"Seas": "Seasonal",
    r"Gds": "Goods",
    r"Prod": "Products",
    r"Pwdr": "Powder",
    r"Toma": "Tomatoes",
    r"Ss|Ex|Sup": "",
    r"Reg": "Regular",
    r"Fluid Milk White Only": "White Milk",
    r"Fluid Milk Products": "Milk",
    r"(Vegetables|Fruit) - All Others?": "${1}",
}
"""Abbreviation in title case (a regular expression) → its replacement."""


NAMES: Final = ("department", "product_category", "product_type")
"""Columns of the category path, from the widest to the narrowest."""


def readable(products: pl.DataFrame) -> pl.DataFrame:
    """`products` with readable text in the columns `NAMES`. Each distinct text is converted once."""
    for name in NAMES:
        texts = products.select(name).unique().with_columns(_expanded(pl.col(name)).alias("_readable"))
        products = products.join(texts, on=name, how="left", nulls_equal=True, maintain_order="left")
        products = products.drop(name).rename({"_readable": name})
    return products


def title() -> pl.Expr:
    """Type and size of a product of `readable`; a type of one word follows its category: `Pork: Butts`."""
    name, category, department = pl.col("product_type"), pl.col("product_category"), pl.col("department")
    stem = name.str.head(4).str.to_lowercase()
    is_in_category = category.str.to_lowercase().str.contains(stem, literal=True)
    needs_category = ~name.str.contains(" ", literal=True) & ~is_in_category
    full_name = pl.when(needs_category).then(pl.concat_str([category, name], separator=": "))
    is_bulk_size = department == "Produce"  # `BANANAS, 40 LB` is the size of the delivery to the shop
    size = pl.when(~is_bulk_size).then(pl.col("package_size").str.to_lowercase().str.strip_chars())
    return pl.concat_str(
        [pl.coalesce(full_name, name, category, department), size], separator=", ", ignore_nulls=True
    )


def _expanded(text: pl.Expr) -> pl.Expr:
    text = text.str.to_titlecase().str.replace_all(r"'S\b", "'s")
    for word, meaning in _ABBREVIATIONS.items():
        text = text.str.replace_all(rf"\b(?:{word})\b", meaning)
    # the source cuts names off after 30 characters: remove an open bracket and a rest of up to two letters
    text = text.str.replace(r"\([^)]*$", "").str.replace(r"/\w{0,2}$", "")
    text = (
        text.str.replace_all(r":(\S)", ": ${1}")
        .str.replace_all(r"\s*\(\s*", " (")
        .str.replace_all(r"\s+", " ")
    )
    text = text.str.replace_all(" And ", " and ").str.replace_all(" Or ", " or ").str.strip_chars(" -/:,&")
    return pl.when(text != "").then(text)
