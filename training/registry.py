"""The registry of a workspace: its bundles, and which of them is the champion, for the server and in MLflow.

<workspace>/bundles/<run>      every exported bundle
<workspace>/champion.json      the pointer to the champion, which a server follows (`served_bundle.py`)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from configs.exceptions import ArtefactError
from configs.schema import Config
from features.core.artefact import locked, read_manifest
from serving.recommend.served_bundle import ChampionPointer, next_pointer, read_pointer, write_pointer
from training.runs.record import BundleEntry
from training.runs.run import Run, run_named
from training.tracking.model_versions import register_bundle, set_alias, version_with_alias
from training.tracking.workspace_store import BUNDLES


@dataclass(frozen=True)
class Registry:
    """The bundles of one workspace. Only this class changes the champion, and a server that follows MLflow's
    alias (`alias_follower.py`)."""

    config: Config

    @property
    def champion(self) -> ChampionPointer | None:
        """The present champion; None where there is none yet."""
        return read_pointer(self.config.workspace)

    def folder(self, run: Run) -> Path:
        """Where the bundle of a run is, or would be."""
        return self.config.workspace / BUNDLES / run.name

    def exported(self, run: Run) -> BundleEntry:
        """The entry of the run's bundle, whose files are verified. Raises ArtefactError where there is no
        bundle, or a file was changed."""
        folder = self.folder(run)
        if not folder.is_dir():
            raise ArtefactError(
                f"{folder}: the run {run.name} has no bundle. `shopkeeper export --run {run.name}` makes it."
            )
        version = str(read_manifest(folder, kind="bundle", verify=True)["fingerprint"])
        entry = run.read().bundle
        return entry.model_copy(update={"version": version}) if entry else BundleEntry(version=version)

    def register(self, run: Run, settings: Config, *, version: str) -> str | None:
        """Register the run's bundle in MLflow and return its model version; None where that is not
        possible."""
        return register_bundle(run, self.folder(run), settings, version=version)

    def set_champion(self, run: Run, settings: Config, entry: BundleEntry) -> None:
        """Make the run's bundle the champion: the pointer first, then MLflow's alias, then a note in the
        pointer where the alias is, so that a server knows a move of it by somebody else."""
        workspace, bundle = self.config.workspace, self.folder(run)
        with locked(workspace):
            pointer = next_pointer(self.champion, run=run.name, version=entry.version, bundle=bundle)
            write_pointer(workspace, pointer)
        if entry.model_version is None or not set_alias(settings, model_version=entry.model_version):
            return
        with locked(workspace):
            present = self.champion
            if present is not None and present.run == run.name:
                write_pointer(workspace, replace(present, alias=entry.model_version))

    def run_with_alias(self) -> Run:
        """The run whose bundle has the alias in MLflow. Raises ArtefactError when none has it, or that run is
        not in this workspace."""
        found = version_with_alias(self.config)
        if found is None:
            raise ArtefactError(
                f"In MLflow no version of the model {self.config.tracking.model_name} has the alias "
                "champion. Set it on the model's page, or name the run here: --run NAME."
            )
        return run_named(self.config.workspace, found.run)
