"""Deletes what nightly runs leave behind: bundles and weights, but no record of a run."""

from __future__ import annotations

import contextlib
import shutil

from configs.console import log
from configs.exceptions import ArtefactError
from configs.schema import Config
from serving.recommend.held_bundle import is_held
from training.registry import Registry
from training.runs.run import CHECKPOINT_FILE, DATASET_FILES, Run
from training.tracking.workspace_store import BUNDLES

_LARGE = ("encoder-*.pt", CHECKPOINT_FILE, *DATASET_FILES, "bundle-*")


def delete_old_bundles(config: Config) -> list[str]:
    """Keep the newest `refresh.keep_bundles` bundles of nightly runs; return the names of the runs whose
    bundle and weights were deleted.

    The champion and the three before it, what a server on this machine serves, and runs that a person trained
    are never touched.
    """
    champion = Registry(config).champion
    protected = {champion.run, *champion.former} if champion else set()
    runs = [Run(folder) for folder in sorted((config.workspace / "runs").glob("*/"), reverse=True)]
    nightly = [run for run in runs if _is_of_a_night(run) and _has_large_files(run)]
    bundles = config.workspace / BUNDLES
    kept = [run.name for run in nightly if run.name in protected or is_held(bundles / run.name)]
    deleted = []
    for run in nightly:
        if run.name in kept:
            continue
        if len(kept) < config.refresh.keep_bundles:
            kept.append(run.name)
            continue
        shutil.rmtree(bundles / run.name, ignore_errors=True)
        for path in [path for pattern in _LARGE for path in run.folder.glob(pattern)]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        deleted.append(run.name)
    if deleted:
        log(f"deleted the bundles and weights of {', '.join(deleted)}; their records stay")
    return deleted


def _is_of_a_night(run: Run) -> bool:
    with contextlib.suppress(ArtefactError):  # of another version
        record = run.read()
        return record.is_nightly or record.refit_of is not None
    return False


def _has_large_files(run: Run) -> bool:
    return any(True for pattern in _LARGE for _ in run.folder.glob(pattern))
