"""docs/benchmarks-cart.md: how well carts are completed, from the kept results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

LABELS: Final = {
    "association_rules": "**rules alone**",
    "co_occurrence": "co-occurrence alone",
    "popularity": "popularity alone",
    "surface cart": "surface `cart`",
    "surface product": "surface `product`",
    "surface home": "surface `home`",
    "surface by_page": "`product` without rules, by `order_by: page`",
    "surface rules_ranked": "what rules propose, in the ranker's order",
    "surface all_ranked": "what rules and the others propose, in the ranker's order",
}
"""System → its row; in this order"""

TASKS: Final = {
    "cart": ("A cart", "All of the basket but the hidden item is given."),
    "product": ("A product page", "One other item of the basket is given."),
}

INTRODUCTION: Final = """\
# Completing a cart

Made by `make benchmark-cart`; edits are lost. One item of a basket is hidden, and every system makes a list
of 20 for what is left of it. Everything is fitted on events before the test window; the baskets are of that
window. Of each user drawn one basket is drawn, of at least two items, so that intervals over baskets are
intervals over users. **hit@k**: the share of the baskets whose hidden item stands in the first k places.
**MRR@20**: the mean of one by its place. *rules minus*: hit@20 of the rules alone minus that of the row, with
the paired 95 % bootstrap interval.

*rules alone*: association rules, by the sum over the items given of (shrunk confidence times the logarithm of
the lift) to the power of 1.5. *co-occurrence alone*: by the sum of shrunk cosines. Both know nothing of the
user. The surfaces are what a server answers, with the user's history until the basket, and with the encoder
and the ranker of the run with SASRec. `cart` and `product` are as they were at these commits: all rules
first, and then what co-occurrence, next basket, encoder and popularity propose, in the ranker's order. Since
then at most four rules come first, and the ranker orders the rest of what all retrievers propose:
[outcomes](benchmarks-outcomes.md#surfaces). `home` has every retriever but the rules, and the ranker's order,
which knows what is on the page; where households buy the same things again, its list of habits finds more of
what is hidden, and says less of what goes together."""


def cart_page(results: Sequence[Mapping[str, Any]]) -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, *(line for result in results for line in _of_data(result)), ""])


def _of_data(result: Mapping[str, Any]) -> list[str]:
    changed = " with changes" if result["uncommitted_changes"] else ""
    lines = [
        "",
        f"## {result['data']}",
        "",
        f"A sample of {result['baskets']:,} baskets, of {result['median_size']:g} items in the median, in a "
        f"window of {result['window_days']:g} days. Commit {str(result['commit'])[:10]}{changed}, "
        f"{result['cores']} cores ({result['cpu']}); dataset `{result['dataset']}`.",
    ]
    for task, (title, what) in TASKS.items():
        lines += [
            "",
            f"**{title}.** {what}",
            "",
            "| | hit@10 | hit@20 | MRR@20 | rules minus |",
            "|---|---|---|---|---|",
            *_rows(result["cart"][task]),
        ]
    return lines


def _rows(systems: Mapping[str, Any]) -> list[str]:
    found = []
    for name, label in LABELS.items():
        if name in systems:
            metrics = systems[name]
            cells = [f"{metrics[metric]['mean'][0]:.4f}" for metric in ("recall_10", "recall_20", "mrr_20")]
            mean, low, high = metrics["recall_20"]["rules_minus"]
            difference = "" if low == high == 0 else f"{mean:+.4f} ({low:+.4f} to {high:+.4f})"
            found.append(f"| {label} | {' | '.join(cells)} | {difference} |")
    return found
