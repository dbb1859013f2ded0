"""A new run with the encoders of a finished one: what is fitted after them is fitted again, without training
them."""

from __future__ import annotations

import shutil

from configs.exceptions import ArtefactError
from configs.schema import Config
from features.core.artefact import read_manifest
from training.runs.environment import environment
from training.runs.run import DATASET_FILES, Run, settings_of, write_settings

ENCODER_SECTIONS = ("split", "history", "encoder", "training")
"""Sections of the settings that encoders depend on."""


def finished_run(config: Config) -> Run:
    """The newest finished run of `config.name` on the same dataset, with the same settings of its encoders.

    Raises ArtefactError where there is none.
    """
    dataset = read_manifest(config.workspace / "dataset", kind="dataset")["fingerprint"]
    for folder in sorted((config.workspace / "runs").glob(f"*-{config.name}*/"), reverse=True):
        run = Run(folder)
        record = run.read()
        is_done = record.status == "finished" and record.dataset == dataset
        if is_done and _has_same_encoders(run, config):
            return run
    raise ArtefactError(
        f"{config.workspace / 'runs'}: no finished run called {config.name} with these settings of "
        f"{', '.join(ENCODER_SECTIONS)} on this data. Train one: leave --again out."
    )


def run_with_encoders_of(run: Run, config: Config) -> Run:
    """A new run with the encoders and learning curves of `run` and the settings of `config`."""
    new = Run.create(config.workspace / "runs", name=config.name)
    others = [run.folder / name for name in ("metrics.jsonl", "prepare_report.json", *DATASET_FILES)]
    for path in [*run.folder.glob("encoder-*.pt"), *others]:
        if path.is_file():
            shutil.copyfile(path, new.folder / path.name)
    write_settings(new, config)
    before = run.read()
    trained_at = before.encoders_trained_at or before.commit
    kept = {name: getattr(before, name) for name in ("dataset", "training_data", "seed", "fits")}
    new.update(**kept, encoders_trained_at=trained_at, **environment())
    new.update(status="finished")
    return new


def _has_same_encoders(run: Run, config: Config) -> bool:
    before = settings_of(run, config)
    return all(getattr(before, section) == getattr(config, section) for section in ENCODER_SECTIONS)
