"""Atomic writes: a folder or file is written to a scratch path and then renamed. Each folder has a manifest.

An artefact (tables, dataset, run, bundle) is a folder with a `manifest.json`: its kind, schema version,
counts, the fingerprint of its input, and its own fingerprint (a hash over the hashes of its files).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import glob
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from configs.exceptions import ArtefactError, ShopkeeperError

MANIFEST = "manifest.json"
SCHEMA_VERSION = 3
"""Version of the files and manifest entries of every kind of artefact. Raise it when one of them changes."""

FULL_DISK_BYTES = 65_536
"""After a failed write, less free space than this means that the disk is full."""

NEW_SECONDS = 2.0
"""A scratch file this young may not be locked yet by the writer who made it."""


@contextmanager
def writing(folder: Path, *, kind: str) -> Iterator[Path]:
    """Yield a scratch folder, which replaces `folder` when the block ends without an error.

    An existing `folder` is replaced only when it is empty or an artefact of the same kind, so a mistyped path
    never deletes other files. After an error the scratch folder is removed. Raises ArtefactError.
    """
    check_replaceable(folder, kind=kind)
    scratch = _scratch_of(folder)
    try:
        with translate_write_errors(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            scratch.mkdir()
            with locked(scratch):
                yield scratch
                if not (scratch / MANIFEST).is_file():
                    raise AssertionError(f"{kind}: write_manifest was not called")
                with locked(folder.parent):
                    _replace(folder, scratch)
                    _remove_leftovers(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def writing_file(path: Path) -> Iterator[Path]:
    """Yield a scratch path; the file written there replaces `path` when the block ends without an error.

    It is flushed to disk before the rename, so after a kill or a power cut `path` is the complete old file or
    the complete new one. Each writer has a scratch file of its own, so of two writers the last one wins.
    """
    scratch = _scratch_of(path)
    try:
        with translate_write_errors(path):
            scratch.touch()
            with locked(scratch):
                yield scratch
                _to_disk(scratch)
                scratch.replace(path)
            _to_disk(path.parent)
            _remove_leftovers(path)
    finally:
        scratch.unlink(missing_ok=True)


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock of a file or folder. Raises BlockingIOError with `wait=False` when another holds it.

    It ends with the process at the latest, and needs no file of its own, which a full disk would refuse.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def translate_write_errors(place: Path) -> Iterator[None]:
    """Turn OSErrors, and the libraries' own errors for a full disk, into ArtefactErrors with a remedy."""
    try:
        yield
    except (ShopkeeperError, AssertionError):
        raise
    except Exception as error:
        if disk_is_full(error, place):
            raise ArtefactError(
                f"{place}: could not be written, because the disk is full ({_free_space(place)}). What was "
                "there before is unchanged. Make room, or choose a folder on another disk with --out, "
                "and run the command again."
            ) from error
        if isinstance(error, OSError):
            raise ArtefactError(f"{place}: could not be written ({error}). Nothing was changed.") from error
        raise


def disk_is_full(error: Exception, place: Path) -> bool:
    """Whether a full disk caused an error. torch, FAISS and Polars do not pass on the error number."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    try:
        return shutil.disk_usage(_existing_parent(place)).free < FULL_DISK_BYTES
    except OSError:
        return False


def check_replaceable(folder: Path, *, kind: str) -> None:
    """Raise ArtefactError when `writing` would refuse to replace `folder`. Call it before long work."""
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not _is_kind(folder, kind)):
        raise ArtefactError(
            f"{folder} exists and is not a {kind} folder of Shopkeeper: choose another folder (--out, or "
            "--to)."
        )


def write_manifest(scratch: Path, *, kind: str, made_from: str, contents: dict[str, Any]) -> str:
    """Hash every file under `scratch`, write the manifest, and return the folder's fingerprint (16 hex
    digits).

    `made_from` is the fingerprint of the input. `contents` are the entries that this kind adds: counts,
    settings, `as_of`.
    """
    files = {
        path.relative_to(scratch).as_posix(): sha256_file(path)
        for path in sorted(scratch.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    fingerprint = _fingerprint(files)
    own = {
        "kind": kind,
        "schema_version": SCHEMA_VERSION,
        "fingerprint": fingerprint,
        "made_from": made_from,
    }
    manifest = {**own, **contents, **own, "files": files}  # what was read and is saved anew has older ones
    (scratch / MANIFEST).write_text(
        json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    return fingerprint


def read_manifest(folder: Path, *, kind: str, verify: bool = False) -> dict[str, Any]:
    """Read and check the manifest of `folder`; with `verify`, check the hash of every file too, and that
    there are no others.

    Raises ArtefactError when the folder is missing or of another kind or version, when a file is missing or
    changed, or when a name leads out of the folder.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise ArtefactError(f"{folder}: no {kind} here (there is no {MANIFEST}). {_REMEDY[kind]}")
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ArtefactError(f"{path}: cannot be read ({error}). {_REMEDY[kind]}") from None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files", {}), dict):
        raise other_version(folder, kind=kind, error=TypeError("a manifest is a JSON object"))
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
    for name in manifest["files"]:
        if not _is_inside(folder, name):
            raise ArtefactError(f"{path}: names the file {name!r}, outside the folder. {_REMEDY[kind]}")
        if not os.path.isfile(folder / name):  # noqa: PTH113  # no error for a name that is too long
            raise ArtefactError(f"{folder / name}: is missing from the {kind}. {_REMEDY[kind]}")
    if verify:
        _verify(folder, manifest, kind=kind)
    return manifest


def _is_inside(folder: Path, name: str) -> bool:
    """Whether a file of the manifest is in the folder, also after its links were followed."""
    try:
        return (folder / name).resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # too long, a null byte, links in a circle
        return False


def _verify(folder: Path, manifest: dict[str, Any], *, kind: str) -> None:
    """Raise ArtefactError unless the files are those of the manifest, and the fingerprint is theirs."""
    files = manifest["files"]
    for name, expected in files.items():
        if sha256_file(folder / name) != expected:
            raise ArtefactError(
                f"{folder / name}: was changed after the {kind} was written (its sha256 differs). "
                f"{_REMEDY[kind]}"
            )
    if manifest["fingerprint"] != _fingerprint(files):
        raise ArtefactError(
            f"{folder / MANIFEST}: its fingerprint {manifest['fingerprint']} is not that of its files "
            f"({_fingerprint(files)}). {_REMEDY[kind]}"
        )
    for file in sorted(folder.rglob("[!.]*")):  # what a file manager leaves there begins with a dot
        name = file.relative_to(folder).as_posix()
        if not file.is_dir() and name != MANIFEST and name not in files:
            raise ArtefactError(f"{file}: is not in the {kind}'s {MANIFEST}. Remove it. {_REMEDY[kind]}")


def _fingerprint(files: dict[str, str]) -> str:
    """16 hex digits over the hashes of the files."""
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:16]


def other_version(folder: Path, *, kind: str, error: Exception) -> ArtefactError:
    """The error for a manifest of the right kind and version that lacks an entry or holds a wrong one."""
    what = " ".join(str(error).split())
    return ArtefactError(
        f"{folder / MANIFEST}: made by another version of Shopkeeper, or edited ({type(error).__name__}: "
        f"{what}). {_REMEDY[kind]}"
    )


def sha256_file(path: Path) -> str:
    """The sha256 of a file in hex, read in chunks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


_REMEDY = {
    "tables": "Make it with `shopkeeper prepare`.",
    "dataset": "Make it with `shopkeeper prepare`.",
    "run": "Make it with `shopkeeper train`.",
    "bundle": "Make it with `shopkeeper export`.",
    "forecasts": "Make them with `shopkeeper forecast`.",
    "customers": "Make it with `shopkeeper segments`.",
    "sentiment": "Make it with `shopkeeper reviews`.",
    "reviews": "Make it with `shopkeeper reviews`.",
}


def _is_kind(folder: Path, kind: str) -> bool:
    try:
        return bool(json.loads((folder / MANIFEST).read_text(encoding="utf-8")).get("kind") == kind)
    except (OSError, ValueError):
        return False


def _existing_parent(place: Path) -> Path:
    """The nearest parent folder of `place` that exists."""
    return next(parent for parent in place.absolute().parents if parent.is_dir())


def _free_space(place: Path) -> str:
    usage = shutil.disk_usage(_existing_parent(place))
    return f"{usage.free / 1e6:,.1f} MB of {usage.total / 1e6:,.0f} MB are free"


def _scratch_of(path: Path) -> Path:
    """A new name beside `path`."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")


def _remove_leftovers(path: Path) -> None:
    """Remove the scratch files and folders of `path` whose writers were killed: nobody holds their lock."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        with contextlib.suppress(OSError):  # held by its writer, or gone since
            if time.time() - leftover.stat().st_mtime > NEW_SECONDS:
                with locked(leftover, wait=False):
                    shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()


def _to_disk(path: Path) -> None:
    """Flush a file, or the names in a folder, to disk."""
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
