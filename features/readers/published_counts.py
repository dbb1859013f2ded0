"""Published row, user and item counts of public data sets, and the comparison of a file with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True)
class Counts:
    """Counts of an events file. None where the publisher gives no count."""

    rows: int
    users: int | None = None
    items: int | None = None

    def __str__(self) -> str:
        counts = {"rows": self.rows, "users": self.users, "items": self.items}
        return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count is not None)

    def agrees_with(self, found: Counts) -> bool:
        """Whether every published count is the one found."""
        pairs = ((self.rows, found.rows), (self.users, found.users), (self.items, found.items))
        return all(ours is None or ours == theirs for ours, theirs in pairs)


PUBLISHED: Final[dict[str, dict[str, Counts]]] = {
    "online_retail": {"Online Retail": Counts(541_909, users=4_372, items=4_070)},
    "taobao": {"Taobao UserBehavior": Counts(100_150_807, users=987_994, items=4_162_024)},
    "amazon_reviews": {
        "Amazon 2014 Beauty, 5-core": Counts(198_502, users=22_363, items=12_101),
        "Amazon 2014 Sports and Outdoors, 5-core": Counts(296_337, users=35_598, items=18_357),
        "Amazon 2014 Toys and Games, 5-core": Counts(167_597, users=19_412, items=11_924),
        "Amazon 2014 Beauty, ratings only": Counts(2_023_070, users=1_210_271, items=249_274),
    },
    "movielens": {
        "MovieLens 1M": Counts(1_000_209, users=6_040),
        "MovieLens 10M": Counts(10_000_054),
        "MovieLens 20M": Counts(20_000_263, users=138_493),
        "MovieLens 25M": Counts(25_000_095, users=162_541),
        "MovieLens 32M": Counts(32_000_204, users=200_948),
        "MovieLens latest small (2018)": Counts(100_836, users=610),
    },
    "session_text": {
        "Amazon Beauty of S3-Rec": Counts(198_502, users=22_363, items=12_101),
        "MovieLens 1M of SASRec": Counts(999_611, users=6_040, items=3_416),
        "Gowalla of LightGCN, train": Counts(810_128, users=29_858, items=40_981),
        "Gowalla of LightGCN, test": Counts(217_242, users=29_858),
    },
}
"""Reader → data set → the counts of its events file.

Online Retail: rows from the UCI Machine Learning Repository's page (data set 352); customers and codes
counted in the file. UserBehavior: the table on Tianchi's page (data set 649). Amazon: rows from McAuley's
page of the 2014 data; users and items as in the papers that use them (S3-Rec, arXiv:2008.07873, table 1).
MovieLens: the README of each. Beauty.txt and ml-1m.txt: as counted by S3-Rec and by those who use SASRec's
files (BSARec, arXiv:2312.10325). Gowalla: LightGCN (arXiv:2002.02126, table 2), with its two parts counted in
the files.
"""


def compare_with_published(reader: str, path: Path, found: Counts) -> str:
    """A sentence for the report: "as published", or both counts, with the data set closest in rows.

    Part of a published file, or a different file, is no error: this never raises.
    """
    known = PUBLISHED[reader]
    for name, counts in known.items():
        if counts.agrees_with(found):
            return f"{path.name} is {name} as published: {counts}"
    name = min(known, key=lambda name: abs(known[name].rows - found.rows))
    return (
        f"{path.name} is not a known published file: it has {found}; the closest, {name}, has {known[name]}"
    )
