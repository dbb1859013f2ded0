"""A run judged anew with the encoders that it has: for what is fitted after them, without the minutes of
training."""

from __future__ import annotations

import shutil

from configs.exceptions import ArtefactError
from configs.load import dump_config, load_config
from configs.schema import Config
from features.core.artefact import read_manifest
from training.runs.run import Run, environment

FIXED = ("split", "history", "encoder", "training")
"""Sections of the settings that encoders depend on."""


def finished_run(config: Config) -> Run:
    """The newest finished run of that name whose encoders are those the settings would give. Raises
    ArtefactError."""
    data = read_manifest(config.workspace / "dataset", kind="dataset")["fingerprint"]
    for folder in sorted((config.workspace / "runs").glob(f"*-{config.name}*/"), reverse=True):
        run = Run(folder)
        if (
            run.read().get("status") == "finished"
            and run.read().get("dataset") == data
            and _same(run, config)
        ):
            return run
    raise ArtefactError(
        f"{config.workspace / 'runs'}: no finished run called {config.name} with these settings of "
        f"{', '.join(FIXED)} "
        f"on this data. "
        "Train one: leave --again out."
    )


def with_encoders_of(run: Run, config: Config) -> Run:
    """A new run with the other's encoders and curves and the present settings."""
    new = Run.create(config.workspace / "runs", name=config.name)
    for path in [
        *run.folder.glob("encoder-*.pt"),
        run.folder / "metrics.jsonl",
        run.folder / "prepare_report.json",
    ]:
        if path.is_file():
            shutil.copyfile(path, new.folder / path.name)
    (new.folder / "config.yaml").write_text(dump_config(config), encoding="utf-8")
    before = run.read()
    kept = {name: before[name] for name in ("dataset", "seed", "fits") if name in before}
    new.update(
        **kept, encoders_trained_at=before.get("encoders_trained_at") or before["commit"], **environment()
    )
    new.update(status="finished")
    return new


def _same(run: Run, config: Config) -> bool:
    before = load_config(run.folder / "config.yaml", workspace=config.workspace)
    return all(getattr(before, section) == getattr(config, section) for section in FIXED)
