"""Writes an evaluation into the run's folder: pages are made and runs compared from these files.

evaluation.json          metrics, breakdowns, differences to each retriever, index recall, most shown items,
                         and how unevenly items are shown
evaluation_users.npz     the headline metric user by user (`UserFigures`)
examples.json            twenty users with their lists
"""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from configs.schema import Config
from features.core.concentration import concentration
from features.dataset import Dataset
from features.retrievers.encoder import EncoderRetriever
from features.splits import SplitPoint
from serving.recommend.bundle import Bundle
from serving.recommend.pipeline import Pipeline
from training.evaluation.breakdowns import breakdowns, over_retrievers
from training.evaluation.evaluation_record import (
    EvaluationRecord,
    IndexMeasurement,
    MeasuredIndexes,
    MostShown,
    Spread,
)
from training.evaluation.examples import as_json as examples_as_json
from training.evaluation.examples import examples
from training.evaluation.replay import Evaluation
from training.export.index import ivf_points
from training.queries import index_queries
from training.runs.run import Run, write_json

NUM_MOST_SHOWN = 100

MAX_INDEXED = 20_000
"""Largest number of items in an index that is measured for the review alone."""


def record(
    run: Run,
    evaluation: Evaluation,
    pipeline: Pipeline,
    dataset: Dataset,
    point: SplitPoint,
    *,
    config: Config,
) -> EvaluationRecord:
    """Write the files; returns the content of `evaluation.json`."""
    figures = evaluation.figures
    spread = concentration(evaluation.times_shown[pipeline.bundle.recommendable])
    points = _index_points(pipeline, dataset, point, config=config)
    details = {
        "breakdowns": breakdowns(figures, config.evaluation),
        "over_retrievers": over_retrievers(figures, config.evaluation),
        "most_shown": _most_shown(pipeline.bundle, evaluation.times_shown),
        "spread": None if spread is None else Spread(**asdict(spread)),
        "index": MeasuredIndexes(chosen=pipeline.bundle.manifest["index"]["kind"], points=points),
    }
    summary = evaluation.summary(config).model_copy(update=details)
    picked = examples(
        pipeline, dataset, point, relevant=evaluation.relevant, figures=figures, seed=config.evaluation.seed
    )
    write_json(run.folder / "examples.json", examples_as_json(picked))
    figures.save(run.folder)
    summary.write(run.folder)
    return summary


def _most_shown(bundle: Bundle, times_shown: NDArray[np.int64]) -> list[MostShown]:
    """The items recommended to the most users, with their number of users."""
    best = np.argsort(-times_shown, kind="stable")[:NUM_MOST_SHOWN]
    return [
        MostShown(id=bundle.item_ids[item], title=bundle.titles[item], users=int(times_shown[item]))
        for item in best.tolist()
        if times_shown[item]
    ]


def _index_points(
    pipeline: Pipeline, dataset: Dataset, point: SplitPoint, *, config: Config
) -> list[IndexMeasurement]:
    """The index measurements of the export. Where it tried exact search alone, IVF is measured here for
    comparison, on `MAX_INDEXED` items at most, to keep it short.
    """
    entries = pipeline.bundle.manifest["index"].get("tried", [])
    tried = [IndexMeasurement.model_validate(entry) for entry in entries]
    if len(tried) > 1:
        return tried
    bundle = pipeline.bundle
    encoder = bundle.retrievers.get(EncoderRetriever.name)
    if not isinstance(encoder, EncoderRetriever):
        return tried
    known = np.flatnonzero(bundle.item_profiles.known)
    if len(known) > MAX_INDEXED:
        known = np.sort(
            np.random.default_rng(config.evaluation.seed).choice(known, MAX_INDEXED, replace=False)
        )
    queries = index_queries(dataset, point, config)
    found = [
        encoder.query_encoder.encode(pipeline.know(query).context, encoder.item_vectors) for query in queries
    ]
    vectors = np.ascontiguousarray(encoder.item_vectors[known])
    query_vectors = np.stack([vector for vector in found if vector is not None])
    points = ivf_points(vectors, known.astype(np.int32), query_vectors)
    return [IndexMeasurement.model_validate(point.as_json()) for point in points]
