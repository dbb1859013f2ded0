"""Which bundle a server loads: the champion, named by `champion.json` in the workspace, without MLflow."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from configs.exceptions import ArtefactError
from features.core.artefact import locked, read_manifest, writing_file

POINTER_FILE: Final = "champion.json"

NUM_FORMER: Final = 3
"""Champions before the present one whose names are kept, and so their bundles: one of them may come back."""


@dataclass(frozen=True)
class ChampionPointer:
    """The content of `champion.json`."""

    run: str
    version: str
    bundle: Path
    """The bundle's folder"""
    previous: str | None = None
    """The run that was champion before this one"""
    earlier: tuple[str, ...] = ()
    """The runs that were champions before that, the latest first"""
    alias: str | None = None
    """MLflow's number of the model version that had the alias `champion` when this was written. An alias that
    is elsewhere was moved since."""

    @property
    def former(self) -> tuple[str, ...]:
        """The runs that were champions before this one, the latest first."""
        return () if self.previous is None else (self.previous, *self.earlier)


def next_pointer(
    before: ChampionPointer | None, *, run: str, version: str, bundle: Path, alias: str | None = None
) -> ChampionPointer:
    """The pointer to a new champion. Without `alias`, MLflow's is where it was before."""
    known = () if before is None else (before.run, *before.former)
    former = [name for name in known if name != run][:NUM_FORMER]
    return ChampionPointer(
        run=run,
        version=version,
        bundle=bundle,
        previous=former[0] if former else None,
        earlier=tuple(former[1:]),
        alias=alias or (before.alias if before else None),
    )


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
            earlier=tuple(entries.get("earlier", ())),
            alias=entries.get("alias"),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ArtefactError(
            f"{path}: cannot be read ({error}). `shopkeeper export` writes it anew."
        ) from None


def write_pointer(workspace: Path, pointer: ChampionPointer) -> None:
    """Make a bundle of the workspace its champion. The path is kept relative, so that a workspace can be
    moved."""
    bundle = pointer.bundle.relative_to(workspace).as_posix()
    entries: dict[str, object] = {"bundle": bundle, "version": pointer.version, "run": pointer.run}
    more = {"previous": pointer.previous, "earlier": list(pointer.earlier), "alias": pointer.alias}
    entries |= {name: value for name, value in more.items() if value}
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


def replace_pointer(workspace: Path, pointer: ChampionPointer, *, instead_of: ChampionPointer | None) -> bool:
    """Write a pointer that was made from another one, unless that one is not there any more; returns whether
    it was written."""
    with locked(workspace):
        if read_pointer(workspace) != instead_of:
            return False
        write_pointer(workspace, pointer)
    return True


def servable_bundles(workspace: Path, *, at_start: Path) -> list[Path]:
    """The present champion's bundle, then those that may stand in for it where it cannot be loaded: former
    champions, and the champion of the server's start. Of these, those that are there."""
    try:
        pointer = read_pointer(workspace)
    except ArtefactError:
        pointer = None
    if pointer is None:
        return [at_start]
    found = [pointer.bundle]
    for bundle in (*(pointer.bundle.with_name(name) for name in pointer.former), at_start):
        if bundle.is_dir() and bundle.resolve() not in [one.resolve() for one in found]:
            found.append(bundle)
    return found
