"""Copies a run's evaluation to MLflow: figures as metrics, the review's pages and pictures, a table of twenty
users, the description."""

from __future__ import annotations

import json
import re
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training.evaluation.evaluation_record import EvaluationRecord
from training.evaluation.systems import PIPELINE
from training.runs.run import Run
from training.tracking.client import log_metrics

TABLE_METRICS = ("capped_recall", "recall", "ndcg", "mrr")
REVIEW_FOLDER = "review"
USERS_TABLE = "twenty_users.json"
NOTE = "mlflow.note.content"
"""The tag that MLflow shows as a run's description"""


def log_evaluation(client: Any, run: Run, run_id: str) -> None:
    """Copy the evaluation and the review of the run's folder. Calling it again adds nothing."""
    from mlflow.entities import Metric

    evaluation = EvaluationRecord.find(run.folder)
    if evaluation is None:
        return
    now = int(time.time() * 1000)
    log_metrics(client, run_id, [Metric(name, value, now, 0) for name, value in _figures(evaluation)])
    if (run.folder / REVIEW_FOLDER).is_dir():
        _log_review(client, run, run_id)


def _figures(evaluation: EvaluationRecord) -> Iterator[tuple[str, float]]:
    """Metric names and values: `pipeline_all_ndcg_10`, `pipeline_over_popularity`, `pipeline_history_2`,
    `index_recall_100`."""
    for system, parts in evaluation.systems.items():
        for part, metrics in parts.items():
            for metric, interval in metrics.items():
                if metric.rsplit("_", 1)[0] in TABLE_METRICS:
                    name = f"{system}_{part}_{metric}"
                    yield from _with_interval(name, interval, whole=system == PIPELINE)
    for over in evaluation.over_retrievers:
        interval = (over.mean, over.low, over.high)
        yield from _with_interval(f"pipeline_over_{over.over}", interval, whole=True)
    numbered: dict[str, int] = {}
    for row in evaluation.breakdowns:
        if row.by in ("history", "popularity"):
            numbered[row.by] = numbered.get(row.by, 0) + 1
            name = str(numbered["history"]) if row.by == "history" else re.sub(r"\W+", "_", row.name)
            yield from _with_interval(f"pipeline_{row.by}_{name}", row.systems[PIPELINE], whole=True)
    for point in evaluation.index.chosen_points:
        yield "index_recall_100", point.recall_100
        yield "index_milliseconds", point.milliseconds


def _with_interval(name: str, interval: Any, *, whole: bool) -> Iterator[tuple[str, float]]:
    mean, low, high = interval
    yield name, mean
    if whole:
        yield f"{name}_low", low
        yield f"{name}_high", high


def _log_review(client: Any, run: Run, run_id: str) -> None:
    folder = run.folder / REVIEW_FOLDER
    client.log_artifacts(run_id, str(folder), REVIEW_FOLDER)
    client.set_tag(run_id, NOTE, (folder / "description.md").read_text(encoding="utf-8"))
    columns = _users_table(_json(run.folder / "examples.json"))
    if USERS_TABLE not in {found.path for found in client.list_artifacts(run_id)}:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow's use of pandas
            client.log_table(run_id, columns, USERS_TABLE)
    else:  # log_table would add the rows to those that are there; this is its layout
        rows = [list(row) for row in zip(*columns.values(), strict=True)]
        client.log_dict(run_id, {"columns": list(columns), "data": rows}, USERS_TABLE)


def _users_table(examples: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """The columns of MLflow's table of `examples.json`, one row for each position of each list."""
    rows = [
        {
            "user": example["user"],
            "events before": example["band"],
            "place": place,
            "product": shown["title"],
            "retriever": shown["retriever"],
            "reason": shown["reason"],
            "taken": "yes" if shown["taken"] else "no",
            "had it before": "yes" if shown["own"] else "no",
        }
        for example in examples
        for place, shown in enumerate(example["places"], start=1)
    ]
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
