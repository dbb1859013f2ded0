"""Labelled reviews ▶ `<workspace>/sentiment`: the network as ONNX, and the words that it knows. Kept until
the labelled reviews change."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from configs.exceptions import ArtefactError, GateError, TooLittleDataError
from configs.settings.reviews import ReviewsConfig
from features.core import columns as c
from features.core.artefact import read_manifest, write_manifest, writing
from features.core.onnx import onnx_session
from features.reviews.review_tokens import NUM_KINDS, review_tokens, tokens_of
from features.reviews.sentiment import GRAPH_FILE, KNOWN_FILE, LOG_ODDS, TOKENS, Sentiment
from models.sentiment import SentimentNetwork
from training.export.write_graph import write_graph
from training.reviews.fit import Labelled, fit_sentiment, log_odds

KIND: Final = "sentiment"
VERSION: Final = 1
"""Of the network. Raise it when the same reviews give another one."""
VALIDATION_SHARE: Final = 0.1
MAX_LABELLED: Final = 200_000
"""The newest ones are enough, and take minutes."""
_MAX_DIFFERENCE: Final = 1e-3
"""Between the log-odds of torch and ONNX"""


def trained_sentiment(
    labelled: pl.DataFrame, folder: Path, config: ReviewsConfig, *, log: Callable[[str], None]
) -> Sentiment:
    """The network of these reviews (text, content), trained and written unless the folder has it already.

    Raises TooLittleDataError with fewer than `reviews.min_labelled` of either kind.
    """
    examples = distinct_examples(labelled)
    counts = [int(examples[c.CONTENT].sum()), int((~examples[c.CONTENT]).sum())]
    if min(counts) < config.min_labelled:
        raise TooLittleDataError(
            f"{counts[0]:,} content and {counts[1]:,} discontented reviews have a text and a rating (or a "
            f"label): a network needs reviews.min_labelled={config.min_labelled} of each. Lower it, or name "
            "a file of labelled texts in reviews.labelled."
        )
    made_from = _fingerprint(examples, config)
    if not _is_kept(folder, made_from):
        log(f"Training the network on {len(examples):,} labelled reviews")
        figures, network, tokens = fitted(examples, seed=config.seed)
        with writing(folder, kind=KIND) as scratch:
            _export(network, tokens, scratch / GRAPH_FILE)
            np.save(scratch / KNOWN_FILE, known_tokens(examples[c.TEXT]))
            contents = {"num_content": counts[0], "num_discontented": counts[1], **figures}
            write_manifest(scratch, kind=KIND, made_from=made_from, contents=contents)
        right = figures["validation_accuracy"]
        log(f"It is right about {right:.1%} of the tenth of the reviews that it was tuned on")
    return Sentiment.load(folder)


def distinct_examples(labelled: pl.DataFrame) -> pl.DataFrame:
    """(text, content) of each text once, spaces and case aside: the newest; those whose copies disagree teach
    nothing."""
    same = pl.col(c.TEXT).str.to_lowercase().str.replace_all(r"\s", "")
    return (
        labelled.drop_nulls([c.TEXT, c.CONTENT])
        .filter(pl.col(c.TEXT) != "")
        .with_columns(same.alias("_same"))
        .filter(pl.col(c.CONTENT).n_unique().over("_same") == 1)
        .unique("_same", keep="last", maintain_order=True)
        .select(c.TEXT, c.CONTENT)
        .tail(MAX_LABELLED)
    )


def fitted(
    examples: pl.DataFrame, *, seed: int
) -> tuple[dict[str, float], SentimentNetwork, NDArray[np.int32]]:
    """(accuracy on the tenth that it was stopped and calibrated on, so somewhat too high; the network; a few
    tokens to compare it with)"""
    tokens = review_tokens(tokens_of(examples[c.TEXT]), num_texts=len(examples))
    whole = Labelled(tokens, examples[c.CONTENT].to_numpy())
    back = np.zeros(len(examples), bool)
    chance = np.random.default_rng(seed)
    for kind in (True, False):
        rows = np.flatnonzero(whole.labels == kind)
        back[chance.choice(rows, max(1, round(len(rows) * VALIDATION_SHARE)), replace=False)] = True
    network = fit_sentiment(whole.take(~back), whole.take(back), seed=seed)
    odds = log_odds(network, tokens[back])
    right = float(np.mean((odds > 0) == whole.labels[back]))
    return {"validation_accuracy": right}, network, tokens[:16]


def known_tokens(texts: pl.Series) -> NDArray[np.int32]:
    """Ascending hashes of the tokens of at least two texts, and of many texts of one in two thousand: a few
    reviews in another language do not make it one that the network reads."""
    in_texts = tokens_of(texts).unique(["row", "hash"])["hash"].value_counts()
    least = max(2, len(texts) // 2_000)
    return np.sort(in_texts.filter(pl.col("count") >= least)["hash"].to_numpy()).astype(np.int32)


def _export(network: SentimentNetwork, tokens: NDArray[np.int32], path: Path) -> None:
    """Write the graph. Raises GateError where it computes something else."""
    many, long = torch.export.Dim("texts", min=1), torch.export.Dim("places", min=1)
    example = torch.ones(2, 3, NUM_KINDS, dtype=torch.int32)
    dynamic = ({0: many, 1: long},)
    write_graph(network, (example,), path, names=[TOKENS], output=LOG_ODDS, dynamic=dynamic, trace_anew=True)
    session = onnx_session(path.read_bytes(), inputs={TOKENS}, output=LOG_ODDS)
    (found,) = session.run([LOG_ODDS], {TOKENS: tokens})
    difference = float(np.abs(found - log_odds(network, tokens)).max(initial=0.0))
    if not difference < _MAX_DIFFERENCE:
        raise GateError(
            f"{path.name}: the exported network differs from the trained one by {difference:.2g}."
        )


def _is_kept(folder: Path, made_from: str) -> bool:
    try:
        return bool(read_manifest(folder, kind=KIND, verify=True)["made_from"] == made_from)
    except ArtefactError:
        return False


def _fingerprint(examples: pl.DataFrame, config: ReviewsConfig) -> str:
    found = hashlib.sha256(f"{VERSION} {config.seed}".encode())
    for text, content in examples.iter_rows():
        found.update(f"{content}\x1f{text}\x1e".encode())
    return found.hexdigest()[:16]
