"""Is a review content? The network of `shopkeeper reviews` beside logistic regression on character n-grams,
and docs/benchmarks-reviews.md.

    BENCH_ARGS="--files DIR" make benchmark-reviews    some minutes for each of --seeds, on one core
    BENCH_ARGS=--page make benchmark-reviews           only writes the page again

The data are `online_shopping_10_cats.zip` of ChineseNlpCorpus: Chinese shop reviews in ten categories, as
content or not. A seed splits them 80/10/10; no text is on two sides. The results are kept in docs/results.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import time
import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.folders import RESULTS
from benchmarks.linear_ngrams import linear_log_odds
from benchmarks.reviews_page import write_page
from configs.console import log
from configs.exceptions import DataError
from features.core import columns as c
from features.profiles.due_model import probability
from features.reviews.review_tokens import review_tokens, tokens_of
from training.evaluation.ranking_metrics import difference_interval, mean_and_interval
from training.reviews.fit import Labelled, fit_sentiment, log_odds
from training.reviews.train import distinct_examples
from training.runs.environment import environment
from training.runs.run import write_json

FILE: Final = "online_shopping_10_cats.zip"
SHARES: Final = (0.8, 0.1, 0.1)
FEW: Final = (200, 1_000, 5_000)
"""Reviews to learn from, with the last seed: how many does a shop need?"""
NETWORK, LINEAR = "network", "linear"
BINS: Final = np.linspace(0, 1, 11)
SAMPLES: Final = 1_000

Part = tuple[pl.DataFrame, Labelled]
"""The texts, and their tokens with the labels"""


def main() -> int:
    """Measure every seed and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    shared = os.environ.get("SHOPKEEPER_DATA")
    folder = Path(shared) / "reviews-zh" if shared else Path()
    parser.add_argument("--files", type=Path, default=folder, help=f"folder of {FILE}")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2], help="each is one split")
    parser.add_argument("--page", action="store_true", help="only write the page again from docs/results")
    given = parser.parse_args()
    if not given.page:
        reviews, num_rows = read_reviews(given.files / FILE)
        content = float(reviews[c.CONTENT].to_numpy().mean())
        data = {"rows": num_rows, "texts": len(reviews), "content": content}
        for seed in given.seeds:
            result = {
                "seed": seed,
                "data": data,
                **measure(reviews, seed=seed, few=FEW if seed == given.seeds[-1] else ()),
            }
            write_json(RESULTS / f"reviews-zh-{seed}.json", {**result, **environment()})
    write_page()
    return 0


def read_reviews(path: Path) -> tuple[pl.DataFrame, int]:
    """(category, text, content) of each text once, and the rows of the file. Raises DataError."""
    if not path.is_file():
        raise DataError(f"{path}: no such file. Name the folder of {FILE} in --files or SHOPKEEPER_DATA.")
    with zipfile.ZipFile(path) as archive:
        rows = pl.read_csv(io.BytesIO(archive.read(FILE.replace(".zip", ".csv"))))
    named = rows.select(
        "cat",
        pl.col("review").str.strip_chars("\ufeff \t\r\n").alias(c.TEXT),
        (pl.col("label") == 1).alias(c.CONTENT),
    )
    distinct = distinct_examples(named)
    return distinct.join(
        named.unique(c.TEXT, keep="first"), on=[c.TEXT, c.CONTENT], maintain_order="left"
    ), len(rows)


def measure(reviews: pl.DataFrame, *, seed: int, few: tuple[int, ...] = ()) -> dict[str, Any]:
    """The figures of both systems on one split."""
    tokens = review_tokens(tokens_of(reviews[c.TEXT]), num_texts=len(reviews))
    whole = Labelled(tokens, reviews[c.CONTENT].to_numpy())
    of_part = np.random.default_rng(seed).choice(len(SHARES), len(reviews), p=SHARES)
    parts = [(reviews.filter(pl.Series(of_part == part)), whole.take(of_part == part)) for part in range(3)]
    odds, seconds = compared(parts, seed=seed)
    labels, categories = parts[2][1].labels, parts[2][0]["cat"]
    learning = [
        {
            "reviews": num,
            **{
                name: _accuracy(of_name, labels)
                for name, of_name in compared(_fewer(parts, num), seed=seed)[0].items()
            },
        }
        for num in few
    ]
    return {
        "num_train": len(parts[0][0]),
        "num_test": len(labels),
        "seconds": seconds,
        "systems": {name: figures(of_name, labels) for name, of_name in odds.items()},
        "network_above_linear": difference_interval(
            *(((odds[name] > 0) == labels).astype(float) for name in (NETWORK, LINEAR)),
            samples=SAMPLES,
            seed=0,
        ),
        "categories": by_category(odds, labels, categories),
        "learning": learning,
    }


def compared(parts: list[Part], *, seed: int) -> tuple[dict[str, NDArray[np.float64]], dict[str, float]]:
    """(the log-odds of each system on the third part, the seconds that its training took)"""
    (train, train_rows), (validation, validation_rows), (test, test_rows) = parts
    log(f"{len(train):,} reviews: the network")
    start = time.monotonic()
    network = fit_sentiment(train_rows, validation_rows, seed=seed)
    middle = time.monotonic()
    log("the linear model")
    linear = linear_log_odds(
        (train[c.TEXT].to_list(), validation[c.TEXT].to_list(), test[c.TEXT].to_list()),
        (train_rows.labels, validation_rows.labels),
    )
    seconds = {NETWORK: middle - start, LINEAR: time.monotonic() - middle}
    return {NETWORK: log_odds(network, test_rows.tokens), LINEAR: linear}, seconds


def _fewer(parts: list[Part], num: int) -> list[Part]:
    """With `num` reviews to learn from, a tenth of them kept back for validation."""
    found, chance = [], np.random.default_rng(num)
    for part, wanted in zip(parts[:2], (num - num // 10, num // 10), strict=True):
        frame, rows = part
        drawn = chance.permutation(len(frame))[:wanted]  # the file is in the order of categories and labels
        found.append((frame[drawn], rows.take(drawn)))
    return [*found, parts[2]]


def figures(odds: NDArray[np.float64], labels: NDArray[np.bool_]) -> dict[str, Any]:
    """Accuracy with its 95 % interval, AUC, log loss, Brier score, and how far said and true are apart."""
    said, right = probability(odds), ((odds > 0) == labels).astype(float)
    place = np.searchsorted(BINS, said, side="right").clip(1, len(BINS) - 1) - 1
    table = [
        {
            "low": float(BINS[one]),
            "reviews": int(within.sum()),
            "said": float(said[within].mean()),
            "true": float(labels[within].mean()),
        }
        for one in range(len(BINS) - 1)
        if (within := place == one).any()
    ]
    return {
        "accuracy": mean_and_interval(right, samples=SAMPLES, seed=0),
        "auc": area_under_curve(odds, labels),
        "log_loss": float(np.mean(np.logaddexp(0, odds) - odds * labels)),
        "brier": float(np.mean((said - labels) ** 2)),
        "calibration_error": sum(row["reviews"] * abs(row["said"] - row["true"]) for row in table)
        / len(said),
        "table": table,
    }


def area_under_curve(odds: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    """The probability that a content review stands above a discontented one (Mann and Whitney 1947)."""
    ranks = pl.Series(odds).rank("average").to_numpy()
    positive, negative = int(labels.sum()), int((~labels).sum())
    return float((ranks[labels].sum() - positive * (positive + 1) / 2) / max(positive * negative, 1))


def by_category(
    odds: dict[str, NDArray[np.float64]], labels: NDArray[np.bool_], categories: pl.Series
) -> list[dict[str, Any]]:
    """The accuracy of both within each category."""
    rows = []
    for name in sorted(categories.unique().to_list()):
        within = (categories == name).to_numpy()
        accuracies = {system: _accuracy(found[within], labels[within]) for system, found in odds.items()}
        rows.append({"category": name, "reviews": int(within.sum()), **accuracies})
    return rows


def _accuracy(odds: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    return float(np.mean((odds > 0) == labels))


if __name__ == "__main__":
    sys.exit(main())
