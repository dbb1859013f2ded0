"""Which bundle to serve: a local pointer in the workspace, so that a server starts without MLflow."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from configs.exceptions import ArtefactError

POINTER_FILE = "champion.json"


@dataclass(frozen=True)
class ChampionPointer:
    """What `champion.json` says."""

    run: str
    version: str
    bundle: Path
    """The bundle's folder"""


def read_pointer(workspace: Path) -> ChampionPointer | None:
    """The champion of a workspace, None where there is none yet. Raises ArtefactError for a pointer that
    cannot be read."""
    path = workspace / POINTER_FILE
    if not path.is_file():
        return None
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return ChampionPointer(
            run=entries["run"], version=entries["version"], bundle=workspace / entries["bundle"]
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ArtefactError(
            f"{path}: cannot be read ({error}). `shopkeeper export` writes it anew."
        ) from None


def champion_bundle(workspace: Path) -> Path:
    """The folder of the bundle to serve; raises ArtefactError when there is none."""
    pointer = read_pointer(workspace)
    if pointer is None:
        raise ArtefactError(
            f"{workspace}: no champion here yet. `shopkeeper export` makes a bundle and, if it wins, the "
            "champion; "
            "another bundle is served with --bundle."
        )
    return pointer.bundle
