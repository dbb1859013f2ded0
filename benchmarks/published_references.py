"""Published figures per data set, the targets to reach, and the file that the figures belong to.

All with full ranking. Figures of sampled rankings (against 100 negatives, for example) cannot be compared and
are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field

METRIC_NAMES = {"ndcg": "NDCG", "recall": "Recall", "mrr": "MRR"}


@dataclass(frozen=True)
class Published:
    """One data set under one protocol."""

    protocol: str
    metrics: tuple[str, str]
    """What papers report: the columns of the first table"""
    references: tuple[tuple[str, str, float | None, float | None], ...]
    """(model, paper, figure of the first metric, figure of the second)"""
    targets: tuple[tuple[str, float], ...]
    """(metric, figure that the mean over seeds should reach)"""
    num_seeds: int
    sha256: dict[str, str] = field(default_factory=dict)
    """File → first digits of the published copy's SHA-256"""


LEAVE_ONE_OUT = (
    "Each user's last item is the test item, the one before it the validation item. Fitted once on the "
    "events before both, stopped by the validation item, not fitted again. The history at test time contains "
    "the validation item. Items of the user's history are removed from the list."
)
ML_1M = Published(
    protocol=LEAVE_ONE_OUT + " At most 200 items of history; no timestamps.",
    metrics=("ndcg_10", "recall_10"),
    references=(
        ("SASRec, BCE", "arXiv:1808.09781, as measured in arXiv:2309.07602", 0.1341, 0.2500),
        ("BERT4Rec", "arXiv:1904.06690, as measured in arXiv:2309.07602", 0.1537, 0.2843),
        ("GRU4Rec", "arXiv:1511.06939, as measured in arXiv:2309.07602", 0.1648, 0.2811),
        ("gSASRec", "arXiv:2308.07192", 0.1726, 0.3003),
        ("SASRec, full cross-entropy", "arXiv:2309.07602", 0.1821, 0.3152),
        ("SASRec, 3,000 negatives", "arXiv:2309.07602", 0.1866, 0.3159),
    ),
    targets=(("ndcg_10", 0.1866),),
    num_seeds=3,
    sha256={"ml-1m.txt": "b725f3ac"},
)
PUBLISHED = {
    "beauty": Published(
        protocol=LEAVE_ONE_OUT
        + " At most 50 items of history; all users, also those whose target is not in the training data.",
        metrics=("ndcg_10", "recall_10"),
        references=(
            ("SASRec, BCE", "arXiv:1808.09781, as measured in arXiv:2008.07873", 0.0318, 0.0605),
            ("TIGER", "arXiv:2305.05065", 0.0384, 0.0648),
            ("ActionPiece", "arXiv:2502.13581", 0.0424, 0.0775),
            ("HSTU", "arXiv:2402.17152, as measured in later papers", 0.0439, 0.0788),
            ("eSASRec", "arXiv:2508.06450", 0.0523, 0.0928),
            ("SASRec, 256 negatives, sampled softmax", "as measured in later papers", 0.0531, 0.0921),
            ("BSARec", "arXiv:2312.10325", 0.0611, 0.1008),
            ("WEARec", "arXiv:2511.07028", None, 0.1041),
        ),
        targets=(("ndcg_10", 0.0611), ("recall_10", 0.1041)),
        num_seeds=5,
        sha256={"Beauty.txt": "226cce9c"},
    ),
    "ml-1m": ML_1M,
    "ml-1m-gru4rec": Published(
        protocol=ML_1M.protocol,
        metrics=ML_1M.metrics,
        references=tuple(row for row in ML_1M.references if row[0] == "GRU4Rec"),
        targets=(("ndcg_10", 0.1648),),
        num_seeds=3,
        sha256=ML_1M.sha256,
    ),
    "gowalla": Published(
        protocol="Train and test pairs as LightGCN split them; a tenth of each user's train pairs is for "
        "validation; train items are removed from the list. Recall is hits divided by relevant items; the "
        "ideal list of NDCG has as many places as the list or the relevant items, whichever are fewer.",
        metrics=("recall_20", "ndcg_20"),
        references=(
            ("MF-BPR", "as measured in later papers", 0.1627, 0.1378),
            ("YouTubeDNN, two towers", "as measured in later papers", 0.1754, 0.1473),
            ("LightGCN", "arXiv:2002.02126", 0.1830, 0.1554),
            ("GF-CF", "arXiv:2108.07567", 0.1849, 0.1518),
            ("SimpleX", "arXiv:2109.12613", 0.1872, 0.1557),
            ("BSPM", "arXiv:2211.09949", 0.1920, 0.1597),
        ),
        targets=(("recall_20", 0.1754), ("ndcg_20", 0.1473), ("recall_20", 0.1872), ("ndcg_20", 0.1557)),
        num_seeds=3,
    ),
}


def metric_name(metric: str) -> str:
    """`ndcg_10` → `NDCG@10`."""
    name, _, k = metric.partition("_")
    return METRIC_NAMES[name] + (f"@{k}" if k else "")


def is_published_copy(name: str, sha256: str) -> bool | None:
    """Whether a file is the copy that the figures were published on; None for an unknown name."""
    known = {file: digest for one in PUBLISHED.values() for file, digest in one.sha256.items()}
    return sha256.startswith(known[name]) if name in known else None
