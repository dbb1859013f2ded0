"""Folders that are whole or absent: written beside their place, then renamed, with a `manifest.json`.

Every artefact (tables, dataset, bundle) is a folder whose manifest names its kind, schema version, counts, what it was made
from, and its own fingerprint (a hash over the hashes of its files).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from configs.exceptions import ArtefactError

MANIFEST = "manifest.json"
SCHEMA_VERSION = 1


@contextmanager
def writing(folder: Path, *, kind: str) -> Iterator[Path]:
    """Yield a scratch folder that takes the place of `folder` if the block ends without an error.

    An existing `folder` is replaced only when it is an artefact of the same kind (or empty), so a mistyped path never
    deletes anything else. After an error nothing is left behind.
    """
    check_replaceable(folder, kind=kind)
    scratch = folder.parent / f".{folder.name}.{uuid.uuid4().hex[:8]}.part"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch.mkdir()
        yield scratch
        if not (scratch / MANIFEST).is_file():
            raise AssertionError(f"{kind}: write_manifest was not called")
        _replace(folder, scratch)
    except OSError as error:
        raise ArtefactError(f"{folder}: could not be written ({error}). Nothing was changed.") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def check_replaceable(folder: Path, *, kind: str) -> None:
    """Raise ArtefactError when `folder` holds something that `writing` would refuse to replace: ask before long work."""
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not _is_kind(folder, kind)):
        raise ArtefactError(f"{folder} exists and is no {kind} folder of ours: choose another place (--out, or --to).")


def write_manifest(scratch: Path, *, kind: str, made_from: str, contents: dict[str, Any]) -> str:
    """Hash every file under `scratch`, write the manifest, and return the folder's fingerprint (16 hex digits).

    `made_from` is the fingerprint of the input. `contents` are the kind's own entries: counts, settings, `as_of`.
    """
    files = {
        path.relative_to(scratch).as_posix(): sha256_file(path)
        for path in sorted(scratch.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    fingerprint = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:16]
    manifest = {
        "kind": kind,
        "schema_version": SCHEMA_VERSION,
        "fingerprint": fingerprint,
        "made_from": made_from,
        **contents,
        "files": files,
    }
    (scratch / MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return fingerprint


def read_manifest(folder: Path, *, kind: str, verify: bool = False) -> dict[str, Any]:
    """Read and check the manifest of `folder`; with `verify`, hash every file too.

    Raises ArtefactError when the folder is missing, of another kind or version, or a file is absent or was changed.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise ArtefactError(f"{folder}: no {kind} here (there is no {MANIFEST}). {_REMEDY[kind]}")
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtefactError(f"{path}: cannot be read ({error}). {_REMEDY[kind]}") from None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files", {}), dict):
        raise other_version(folder, kind=kind, error=TypeError("not the entries of a manifest"))
    if manifest.get("kind") != kind:
        raise ArtefactError(f"{folder}: this is a {manifest.get('kind')!r} folder, but a {kind!r} folder is needed.")
    if manifest.get("schema_version") != SCHEMA_VERSION:
        raise ArtefactError(
            f"{folder}: has schema version {manifest.get('schema_version')}, this program reads {SCHEMA_VERSION}. {_REMEDY[kind]}"
        )
    if missing := {"files", "fingerprint"} - set(manifest):
        raise other_version(folder, kind=kind, error=KeyError(*sorted(missing)))
    for name, expected in manifest["files"].items():
        file = folder / name
        if not file.is_file():
            raise ArtefactError(f"{file}: is missing from the {kind}. {_REMEDY[kind]}")
        if verify and sha256_file(file) != expected:
            raise ArtefactError(f"{file}: was changed after the {kind} was written (its sha256 differs). {_REMEDY[kind]}")
    return manifest


def other_version(folder: Path, *, kind: str, error: Exception) -> ArtefactError:
    """For a manifest that is JSON of the right kind and yet does not say what it should."""
    what = " ".join(str(error).split())
    return ArtefactError(
        f"{folder / MANIFEST}: made by another version of Shopkeeper, or edited ({type(error).__name__}: {what}). {_REMEDY[kind]}"
    )


def sha256_file(path: Path) -> str:
    """The sha256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


_REMEDY = {
    "tables": "Make it with `shopkeeper prepare`.",
    "dataset": "Make it with `shopkeeper prepare`.",
    "run": "Make it with `shopkeeper train`.",
    "bundle": "Make it with `shopkeeper export`.",
}


def _is_kind(folder: Path, kind: str) -> bool:
    try:
        return bool(json.loads((folder / MANIFEST).read_text(encoding="utf-8")).get("kind") == kind)
    except (OSError, ValueError):
        return False


def _replace(folder: Path, scratch: Path) -> None:
    for path in scratch.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    if folder.exists():
        old = folder.parent / f".{folder.name}.{uuid.uuid4().hex[:8]}.old.part"
        folder.rename(old)
        scratch.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    else:
        scratch.rename(folder)
