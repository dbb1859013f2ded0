"""Which bundle is the champion, for the server and in MLflow: written here and nowhere else.

<workspace>/bundles/<run>      every exported bundle
<workspace>/champion.json      the one to serve: a local pointer, so that a server starts without MLflow
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from configs.exceptions import ArtefactError
from configs.schema import Config
from features.core.artefact import read_manifest
from serving.recommend.served_bundle import POINTER_FILE, ChampionPointer, read_pointer
from training.runs.record import BundleEntry
from training.runs.run import Run, run_named, write_json
from training.tracking.mlflow_sync import champion_source, register, set_champion

BUNDLES = "bundles"


@dataclass(frozen=True)
class Registry:
    """The bundles of a workspace."""

    config: Config

    @property
    def champion(self) -> ChampionPointer | None:
        """The bundle to serve; None where there is none yet."""
        return read_pointer(self.config.workspace)

    def folder(self, run: Run) -> Path:
        """Where the bundle of a run is, or would be."""
        return self.config.workspace / BUNDLES / run.name

    def exported(self, run: Run) -> BundleEntry:
        """The run's bundle, verified. Raises ArtefactError where there is none, or it was changed since."""
        folder = self.folder(run)
        if not folder.is_dir():
            raise ArtefactError(
                f"{folder}: the run {run.name} has no bundle. `shopkeeper export --run {run.name}` makes it."
            )
        version = str(read_manifest(folder, kind="bundle", verify=True)["fingerprint"])
        entry = run.read().bundle
        return entry.model_copy(update={"version": version}) if entry else BundleEntry(version=version)

    def register(self, run: Run, settings: Config, *, version: str) -> str | None:
        """Register the run's bundle in MLflow; its version number there, None where that is not possible."""
        return register(run, self.folder(run), settings, version=version)

    def set_champion(self, run: Run, settings: Config, entry: BundleEntry) -> None:
        """Make the run's bundle the one to serve: the pointer first, then MLflow's alias."""
        pointer = {"bundle": f"{BUNDLES}/{run.name}", "version": entry.version, "run": run.name}
        write_json(self.config.workspace / POINTER_FILE, pointer)
        if entry.model_version is not None:
            set_champion(settings, model_version=entry.model_version)

    def run_with_alias(self) -> Run:
        """The run whose bundle bears the alias in MLflow. Raises ArtefactError when none does, or it is not
        here."""
        source = champion_source(self.config)
        if source is None:
            raise ArtefactError(
                f"In MLflow no version of the model {self.config.tracking.model_name} has the alias "
                "champion. "
                "Set it on the model's page, or name the run here: --run NAME."
            )
        return run_named(self.config.workspace, source.rstrip("/").rsplit("/", 1)[-1])
