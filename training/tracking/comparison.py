"""The page that compares runs, kept in MLflow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from configs.console import log
from configs.schema import Config
from training.tracking.client import experiment_id, first_line, mlflow_client, mlflow_errors
from training.tracking.tracked_evaluation import NOTE


def log_comparison(page: Path, config: Config, *, runs: Sequence[str]) -> None:
    """Keep a comparison as an MLflow run of its own, in the experiment `<experiment>-comparisons`."""
    note = ["Compared, the first being the one to beat:", "", *(f"- {run}" for run in runs)]
    try:
        client = mlflow_client(config)
        if client is None:
            return
        experiment = experiment_id(client, config, name=f"{config.tracking.experiment}-comparisons")
        created = client.create_run(experiment, run_name="comparison", tags={"runs": ", ".join(runs)})
        run_id = str(created.info.run_id)
        client.log_artifact(run_id, str(page))
        client.set_tag(run_id, NOTE, "\n".join(note))
        client.set_terminated(run_id)
    except mlflow_errors() as error:
        log(f"{page} is written, but MLflow did not take it. ({first_line(error)})")
