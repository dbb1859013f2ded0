"""The bundle of a model version, as a folder of the workspace: as it is there, or from where it was
registered."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from configs.console import log
from configs.exceptions import ArtefactError
from configs.schema import Config
from features.core.artefact import read_manifest, writing
from serving.recommend.served_bundle import ChampionPointer
from training.tracking.client import tracking_uri
from training.tracking.model_versions import ModelVersion
from training.tracking.tracked_settings import without_login
from training.tracking.workspace_store import BUNDLES


def fetched_bundle(
    config: Config, version: ModelVersion, *, champion: ChampionPointer | None
) -> tuple[Path, str]:
    """The folder of the bundle and its fingerprint; its files are verified.

    Raises ArtefactError for one that is damaged, gone, or of another shop than the champion's.
    """
    if not version.run or version.run.startswith("."):
        raise ArtefactError(f"Model version {version.number} lies at {version.source!r}, which has no name.")
    shop = _shop_of(champion)
    folder = config.workspace / BUNDLES / version.run
    if _is_version(folder, version.bundle_version):
        return folder, str(_verified(folder, shop=shop)["fingerprint"])
    if version.source == folder.resolve().as_uri():
        raise ArtefactError(
            f"{folder}: is no longer the bundle of model version {version.number}. Move the alias to the "
            f"run's latest version, or export it anew: `shopkeeper export --run {version.run}`."
        )
    log(f"getting {version.run} from {without_login(version.source)}")
    with writing(folder, kind="bundle") as scratch:
        _download(version.source, scratch, tracking_uri=tracking_uri(config))
        fingerprint = str(_verified(scratch, shop=shop)["fingerprint"])
        if not _is_version(scratch, version.bundle_version):
            raise ArtefactError(
                f"{without_login(version.source)}: is version {fingerprint}, and model version "
                f"{version.number} is {version.bundle_version}. Register it anew with `shopkeeper export`."
            )
    return folder, fingerprint


def _download(source: str, into: Path, *, tracking_uri: str) -> None:
    """MLflow makes a folder of its own in there, whose files are moved up."""
    from mlflow.artifacts import download_artifacts

    found = Path(download_artifacts(artifact_uri=source, dst_path=str(into), tracking_uri=tracking_uri))
    if found != into:
        for part in found.iterdir():
            part.rename(into / part.name)
        shutil.rmtree(found)


def _verified(folder: Path, *, shop: str | None) -> dict[str, Any]:
    """The manifest of a whole bundle of the shop. Raises ArtefactError."""
    manifest = read_manifest(folder, kind="bundle", verify=True)
    if shop is not None and manifest.get("name") != shop:
        raise ArtefactError(
            f"The bundle is of the shop {manifest.get('name')!r}, and this server's shop is {shop!r}: give "
            "each shop a model of its own, such as --set tracking.model_name=my-shop."
        )
    return manifest


def _shop_of(champion: ChampionPointer | None) -> str | None:
    """The name of the champion's shop; None where no bundle says it."""
    try:
        return str(read_manifest(champion.bundle, kind="bundle").get("name")) if champion else None
    except ArtefactError:
        return None


def _is_version(folder: Path, fingerprint: str | None) -> bool:
    """Whether the folder is a bundle of this version; of any, where MLflow does not say which."""
    try:
        return fingerprint in (None, read_manifest(folder, kind="bundle")["fingerprint"])
    except ArtefactError:
        return False
