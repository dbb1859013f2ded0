"""Readable product names from the till's: `FRZN SS PREMIUM ENTREES/DNRS/N`, `9 OZ` → `Frozen Premium
Entrees/Dinners, 9 oz`."""

from __future__ import annotations

import polars as pl

# Word in title case (a regular expression) → what it stands for.
_WORDS = {
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


NAMES = ("department", "product_category", "product_type")


def readable(products: pl.DataFrame) -> pl.DataFrame:
    """`products` with `NAMES` as a person would write them. Each distinct text is worked on once."""
    for name in NAMES:
        texts = products.select(name).unique().with_columns(_pleasant(pl.col(name)).alias("_readable"))
        products = products.join(texts, on=name, how="left", nulls_equal=True, maintain_order="left")
        products = products.drop(name).rename({"_readable": name})
    return products


def title() -> pl.Expr:
    """Type and size of a readable product; the category before a type of one word: `Pork: Butts`."""
    kind, category, department = pl.col("product_type"), pl.col("product_category"), pl.col("department")
    stem = kind.str.head(4).str.to_lowercase()
    bare = ~kind.str.contains(" ", literal=True) & ~category.str.to_lowercase().str.contains(
        stem, literal=True
    )
    name = pl.coalesce(
        pl.when(bare).then(pl.concat_str([category, kind], separator=": ")), kind, category, department
    )
    by_the_case = department == "Produce"  # `BANANAS, 40 LB` is what the shop receives
    size = pl.when(~by_the_case).then(pl.col("package_size").str.to_lowercase().str.strip_chars())
    return pl.concat_str([name, size], separator=", ", ignore_nulls=True)


def _pleasant(text: pl.Expr) -> pl.Expr:
    text = text.str.to_titlecase().str.replace_all(r"'S\b", "'s")
    for word, meaning in _WORDS.items():
        text = text.str.replace_all(rf"\b(?:{word})\b", meaning)
    text = text.str.replace(r"\([^)]*$", "").str.replace(
        r"/\w{0,2}$", ""
    )  # what the till cut off after 30 characters
    text = (
        text.str.replace_all(r":(\S)", ": ${1}")
        .str.replace_all(r"\s*\(\s*", " (")
        .str.replace_all(r"\s+", " ")
    )
    text = text.str.replace_all(" And ", " and ").str.replace_all(" Or ", " or ").str.strip_chars(" -/:,&")
    return pl.when(text != "").then(text)
