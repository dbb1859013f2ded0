"""The evaluation of forecasts, kept in MLflow."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from configs.console import log
from configs.schema import Config
from training.tracking.client import experiment_id, first_line, mlflow_client, mlflow_errors


def log_forecasts(folder: Path, evaluation: Mapping[str, Any], config: Config) -> None:
    """Keep it as an MLflow run of its own, in the experiment `<experiment>-forecasts`: a metric for each
    figure of each system, and the JSON files. Users' rows stay in the workspace."""
    try:
        client = mlflow_client(config)
        if client is None:
            return
        experiment = experiment_id(client, config, name=f"{config.tracking.experiment}-forecasts")
        tags = {name: str(evaluation[name]) for name in ("as_of", "days", "customers")}
        run_id = str(client.create_run(experiment, run_name="forecasts", tags=tags).info.run_id)
        for system, figures in evaluation["systems"].items():
            for name, value in figures.items():
                if isinstance(value, float) and math.isfinite(value):
                    client.log_metric(run_id, f"{system}.{name}", value)
        for name in ("evaluation.json", "purchase_cycle.json"):
            client.log_artifact(run_id, str(folder / name))
        client.set_terminated(run_id)
    except mlflow_errors() as error:
        log(f"{folder} is written, but MLflow did not take its evaluation. ({first_line(error)})")
