"""Measures the ranker of several outcomes beside the ranker of one score, and every surface beside each
retriever alone; writes docs/benchmarks-outcomes.md.

    BENCH_ARGS="--files DIR" make benchmark-outcomes  complete-journey, and the others from files in DIR
    BENCH_ARGS="--data complete-journey" make benchmark-outcomes
    BENCH_ARGS=--page make benchmark-outcomes         only writes the page again

An encoder is trained where there is none. The rankers are fitted on the window between the validation and the
test split point and measured on the test window, which is read once. Results are kept in docs/results.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.earlier_windows import EARLIER_WINDOWS, window_figures
from benchmarks.folders import RESULTS
from benchmarks.outcome_figures import Candidates, figures, outcome_candidates, reliability
from benchmarks.outcomes_page import PAGE, page_text
from benchmarks.quality import configuration, data_file
from benchmarks.reuse_encoders import finished_run
from benchmarks.surfaces import surface_figures
from configs.console import log
from configs.exceptions import ArtefactError
from configs.schema import Config
from configs.settings.outcomes import Outcome, ValueName
from features.dataset import Dataset
from features.prepare import prepare
from features.splits import split_points
from models.ranker import RankerNetwork
from serving.recommend.list_value import ListValue
from serving.recommend.pipeline import Pipeline
from serving.recommend.ranker import Ranker
from training.export.fit_pipeline import candidate_pipeline
from training.export.onnx_graphs import ranker_graph
from training.ranker.calibration import outcome_weights
from training.ranker.fit import split_lists, train_ranker
from training.ranker.lists import RankedList, ranked_lists
from training.runs.environment import environment
from training.runs.run import Run, write_json
from training.train import train

OUTCOMES: Final[Mapping[str, tuple[Outcome, ...]]] = {
    "taobao": ("click", "add_to_cart", "purchase"),
    "complete-journey": ("purchase",),
    "online-retail": ("purchase",),
}
"""Data set → the outcomes that it has events of."""
MONEY: Final[Mapping[str, Mapping[ValueName, float]]] = {
    "purchase": {"purchase": 1},
    "revenue": {"revenue": 1},
}
ORDERS: Final[Mapping[str, Mapping[str, Mapping[ValueName, float]]]] = {
    "taobao": {
        "click": {"click": 1},
        "add_to_cart": {"add_to_cart": 1},
        "purchase": {"purchase": 1},
        "click 0.1, add_to_cart 0.3, purchase 1": {"click": 0.1, "add_to_cart": 0.3, "purchase": 1},
    },
    "complete-journey": MONEY,
    "online-retail": MONEY,
}
"""Data set → name → weights of a surface."""
Lists = tuple[list[RankedList], list[RankedList]]


def main() -> int:
    """Measure what was asked for, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default=",".join(OUTCOMES), help="several with commas")
    parser.add_argument("--files", type=Path, default=Path(), help="folder of the data sets' files")
    parser.add_argument("--users", type=int, default=600, help="measured, a sample drawn by seed")
    parser.add_argument("--page", action="store_true", help="only write the page again from docs/results")
    parser.add_argument(
        "--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE", help="as in `shopkeeper`"
    )
    given = parser.parse_args()
    for data in [] if given.page else given.data.split(","):
        own = ["ranker.outcomes={" + ", ".join(f"{name}: 1" for name in OUTCOMES[data]) + "}"]
        config = configuration(
            data, "sasrec", file=data_file(data, given.files), overrides=[*own, *given.overrides]
        )
        write_json(RESULTS / f"outcomes-{data}.json", measure(data, config, num_users=given.users))
    PAGE.write_text(page_text(), encoding="utf-8")
    return 0


def measure(data: str, config: Config, *, num_users: int) -> dict[str, Any]:
    """All figures of one data set."""
    if not (config.workspace / "dataset").is_dir():
        prepare(config, now=datetime.now(UTC), progress=log)
    dataset = Dataset.open(config.workspace / "dataset")
    run = _run(config)
    validation, test, full = split_points(dataset, config.split)
    outcomes = outcome_weights(config, dataset)
    fitted = candidate_pipeline(dataset, validation, config=config, run=run)
    lists = split_lists(
        list(ranked_lists(fitted, dataset, validation, test, config=config, outcomes=tuple(outcomes))),
        config.ranker,
    )
    judged = candidate_pipeline(dataset, test, config=config, run=run)
    found = outcome_candidates(judged, dataset, test, full, config=config, num_users=num_users)
    single = train_ranker(*of_one_label(lists, None), config)
    shared = train_ranker(*lists, config, outcomes=outcomes)
    systems = {"one score": [one.scores(single) for one in found]}
    for place, name in enumerate(outcomes) if len(outcomes) > 1 else ():
        alone = train_ranker(*of_one_label(lists, place), config)
        systems[f"a ranker for {name} alone"] = [one.scores(alone) for one in found]
    systems |= weighed(data, judged, shared, found)
    surfaces = surface_figures(
        with_ranker(judged, single), dataset, test, full, config=config, num_users=num_users
    )
    return {
        "data": data,
        "num_users": len(found),
        "num_lists": len(lists[0]),
        "systems": figures(systems, found, judged, config),
        "reliability": reliability(shared, found),
        "surfaces": surfaces,
        **_windows(data, dataset, config, num_users=num_users),
        "encoder": {"dim": config.encoder.dim, "max_epochs": config.training.max_epochs},
        "window_days": config.split.window_days,
        **environment(),
    }


def _windows(data: str, dataset: Dataset, config: Config, *, num_users: int) -> dict[str, Any]:
    if data not in EARLIER_WINDOWS:
        return {}

    def orders(
        pipeline: Pipeline, network: RankerNetwork, found: list[Candidates]
    ) -> dict[str, list[NDArray[np.float32]]]:
        return {"its score": [one.scores(network) for one in found]} | weighed(data, pipeline, network, found)

    return {"windows": window_figures(data, dataset, config, num_users=num_users, orders=orders)}


def _run(config: Config) -> Run:
    try:
        return finished_run(config)
    except ArtefactError:
        return train(config)


def of_one_label(lists: Lists, place: int | None) -> Lists:
    """The lists in which something is relevant: by the targets, or by the outcome at `place`."""

    def of(one: RankedList) -> RankedList:
        assert one.outcomes is not None
        relevant = one.relevant if place is None else one.outcomes[:, place]
        return replace(one, relevant=relevant, outcomes=None)

    training, validation = ([of(one) for one in part] for part in lists)
    return [one for one in training if one.relevant.any()], [one for one in validation if one.relevant.any()]


def weighed(
    data: str, pipeline: Pipeline, network: RankerNetwork, found: list[Candidates]
) -> dict[str, list[NDArray[np.float32]]]:
    """Weights → the scores of each user's candidates, as a surface with these weights orders them."""
    bundle = with_ranker(pipeline, network).bundle
    assert bundle.ranker is not None
    outputs = [bundle.ranker.outputs(one.features) for one in found]
    values = {name: ListValue.of(bundle, weights) for name, weights in ORDERS[data].items()}
    return {
        f"weights: {name}": [value.combined(out, one.items) for out, one in zip(outputs, found, strict=True)]
        for name, value in values.items()
        if value is not None
    }


def with_ranker(pipeline: Pipeline, network: RankerNetwork) -> Pipeline:
    """The pipeline with an exported ranker."""
    ranker = Ranker(ranker_graph(network), columns=pipeline.columns.names, outcomes=network.outcomes)
    return Pipeline(replace(pipeline.bundle, ranker=ranker))


if __name__ == "__main__":
    sys.exit(main())
