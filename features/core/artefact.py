"""Folders and files that are whole or absent: written beside their place, then renamed; a folder has a
`manifest.json`.

Every artefact (tables, dataset, bundle) is a folder whose manifest names its kind, schema version, counts,
what it was made from, and its own fingerprint (a hash over the hashes of its files).
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from configs.exceptions import ArtefactError, ShopkeeperError

MANIFEST = "manifest.json"
SCHEMA_VERSION = 1
FULL_BYTES = 65_536
"""Less room than this after a write that failed: the disk is why."""


@contextmanager
def writing(folder: Path, *, kind: str) -> Iterator[Path]:
    """Yield a scratch folder that takes the place of `folder` if the block ends without an error.

    An existing `folder` is replaced only when it is an artefact of the same kind (or empty), so a mistyped
    path never deletes anything else. After an error nothing is left behind.
    """
    check_replaceable(folder, kind=kind)
    scratch = folder.parent / f".{folder.name}.{uuid.uuid4().hex[:8]}.part"
    try:
        with translate_write_errors(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            scratch.mkdir()
            yield scratch
            if not (scratch / MANIFEST).is_file():
                raise AssertionError(f"{kind}: write_manifest was not called")
            _replace(folder, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def writing_file(path: Path) -> Iterator[Path]:
    """Yield a scratch path; the file written there takes the place of `path` if the block ends without an
    error.

    It is on the disk before it is renamed, so that after a kill or a power cut `path` is the old file or the
    new one, whole.
    """
    scratch = path.with_name(f".{path.name}.part")
    try:
        with translate_write_errors(path):
            yield scratch
            _to_disk(scratch)
            scratch.replace(path)
            _to_disk(path.parent)
    finally:
        scratch.unlink(missing_ok=True)


@contextmanager
def translate_write_errors(place: Path) -> Iterator[None]:
    """Turn the many errors by which libraries tell of a full disk, and every OSError, into an ArtefactError
    with a remedy."""
    try:
        yield
    except (ShopkeeperError, AssertionError):
        raise
    except Exception as error:
        if disk_is_full(error, place):
            raise ArtefactError(
                f"{place}: could not be written, for the disk is full ({_room(place)}). What stood there "
                "before is still "
                "there, whole. Make room, or choose a place on another disk with --out, and give the "
                "command again."
            ) from error
        if isinstance(error, OSError):
            raise ArtefactError(f"{place}: could not be written ({error}). Nothing was changed.") from error
        raise


def disk_is_full(error: Exception, place: Path) -> bool:
    """Whether an error came of a full disk. torch, FAISS and Polars lose the number of the system's error on
    the way."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    try:
        return shutil.disk_usage(_there(place)).free < FULL_BYTES
    except OSError:
        return False


def check_replaceable(folder: Path, *, kind: str) -> None:
    """Raise ArtefactError when `folder` holds something that `writing` would refuse to replace: ask before
    long work."""
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not _is_kind(folder, kind)):
        raise ArtefactError(
            f"{folder} exists and is no {kind} folder of ours: choose another place (--out, or --to)."
        )


def write_manifest(scratch: Path, *, kind: str, made_from: str, contents: dict[str, Any]) -> str:
    """Hash every file under `scratch`, write the manifest, and return the folder's fingerprint (16 hex
    digits).

    `made_from` is the fingerprint of the input. `contents` are the kind's own entries: counts, settings,
    `as_of`.
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
    (scratch / MANIFEST).write_text(
        json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    return fingerprint


def read_manifest(folder: Path, *, kind: str, verify: bool = False) -> dict[str, Any]:
    """Read and check the manifest of `folder`; with `verify`, hash every file too.

    Raises ArtefactError when the folder is missing, of another kind or version, or a file is absent or was
    changed.
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
        raise ArtefactError(
            f"{folder}: this is a {manifest.get('kind')!r} folder, but a {kind!r} folder is needed."
        )
    if manifest.get("schema_version") != SCHEMA_VERSION:
        raise ArtefactError(
            f"{folder}: has schema version {manifest.get('schema_version')}, this program reads "
            f"{SCHEMA_VERSION}. {_REMEDY[kind]}"
        )
    if missing := {"files", "fingerprint"} - set(manifest):
        raise other_version(folder, kind=kind, error=KeyError(*sorted(missing)))
    for name, expected in manifest["files"].items():
        file = folder / name
        if not file.is_file():
            raise ArtefactError(f"{file}: is missing from the {kind}. {_REMEDY[kind]}")
        if verify and sha256_file(file) != expected:
            raise ArtefactError(
                f"{file}: was changed after the {kind} was written (its sha256 differs). {_REMEDY[kind]}"
            )
    return manifest


def other_version(folder: Path, *, kind: str, error: Exception) -> ArtefactError:
    """For a manifest that is JSON of the right kind and yet does not say what it should."""
    what = " ".join(str(error).split())
    return ArtefactError(
        f"{folder / MANIFEST}: made by another version of Shopkeeper, or edited ({type(error).__name__}: "
        f"{what}). {_REMEDY[kind]}"
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


def _there(place: Path) -> Path:
    """The nearest folder above a place that is there."""
    return next(parent for parent in place.absolute().parents if parent.is_dir())


def _room(place: Path) -> str:
    usage = shutil.disk_usage(_there(place))
    return f"{usage.free / 1e6:,.1f} MB of {usage.total / 1e6:,.0f} MB are free"


def _to_disk(path: Path) -> None:
    """Wait until a file, or the names in a folder, would survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(folder: Path, scratch: Path) -> None:
    for path in scratch.rglob("*"):
        if path.is_file():
            _to_disk(path)
    if folder.exists():
        old = folder.parent / f".{folder.name}.{uuid.uuid4().hex[:8]}.old.part"
        folder.rename(old)
        scratch.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    else:
        scratch.rename(folder)
    _to_disk(folder.parent)
