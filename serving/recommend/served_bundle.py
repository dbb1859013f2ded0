"""Which bundle a server loads: the champion, named by `champion.json` in the workspace, without MLflow."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from configs.exceptions import ArtefactError
from features.core.artefact import read_manifest, writing_file

POINTER_FILE: Final = "champion.json"


@dataclass(frozen=True)
class ChampionPointer:
    """The content of `champion.json`."""

    run: str
    version: str
    bundle: Path
    """The bundle's folder"""
    previous: str | None = None
    """The run that was champion before this one"""


def read_pointer(workspace: Path) -> ChampionPointer | None:
    """The champion of a workspace; None where there is none yet. Raises ArtefactError for a pointer that
    cannot be read."""
    path = workspace / POINTER_FILE
    if not path.is_file():
        return None
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return ChampionPointer(
            run=entries["run"],
            version=entries["version"],
            bundle=workspace / entries["bundle"],
            previous=entries.get("previous"),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ArtefactError(
            f"{path}: cannot be read ({error}). `shopkeeper export` writes it anew."
        ) from None


def write_pointer(workspace: Path, pointer: ChampionPointer) -> None:
    """Make a bundle of the workspace its champion. The path is kept relative, so that a workspace can be
    moved."""
    bundle = pointer.bundle.relative_to(workspace).as_posix()
    entries = {"bundle": bundle, "version": pointer.version, "run": pointer.run}
    if pointer.previous is not None:
        entries["previous"] = pointer.previous
    with writing_file(workspace / POINTER_FILE) as scratch:
        scratch.write_text(json.dumps(entries, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def champion_bundle(workspace: Path) -> Path:
    """The folder of the champion's bundle. Raises ArtefactError when there is no champion, or the bundle is
    another than the one that was made champion."""
    pointer = read_pointer(workspace)
    if pointer is None:
        raise ArtefactError(
            f"{workspace}: no champion here yet. `shopkeeper export` makes a bundle and, if it wins, the "
            "champion; another bundle is served with --bundle."
        )
    found = read_manifest(pointer.bundle, kind="bundle")["fingerprint"]
    if found != pointer.version:
        raise ArtefactError(
            f"{pointer.bundle}: is version {found}, and {workspace / POINTER_FILE} names version "
            f"{pointer.version}. `shopkeeper promote --run {pointer.run}` makes it the champion as it is, "
            "`shopkeeper export` makes it anew; with --bundle it is served all the same."
        )
    return pointer.bundle


def fallback_bundles(workspace: Path, *, instead_of: Path) -> list[Path]:
    """The bundles that may stand in for one that cannot be loaded: the present champion, if it is another by
    now, and its predecessor. Those that are not there, and a pointer that cannot be read, count as none."""
    try:
        pointer = read_pointer(workspace)
    except ArtefactError:
        return []
    if pointer is None:
        return []
    found = [pointer.bundle]
    if pointer.previous is not None:
        found.append(pointer.bundle.with_name(pointer.previous))
    return [bundle for bundle in found if bundle.is_dir() and bundle.resolve() != instead_of.resolve()]
