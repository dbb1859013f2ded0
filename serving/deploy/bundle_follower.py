"""Follows the champion: a replica loads a new bundle beside the one that answers, and swaps between two
requests.

champion.json, every second ▶ read, verify, warm in a thread ▶ swap in the event loop ▶ the old one is freed
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from configs.exceptions import ArtefactError
from features.core.artefact import locked
from serving.deploy.notices import logger
from serving.http.bundle_status import BundleStatus
from serving.http.service import Service
from serving.recommend.held_bundle import HeldBundle
from serving.recommend.served_bundle import POINTER_FILE, champion_bundle, read_pointer

LOOK_SECONDS: Final = 1.0
"""Between two looks. What was just written is taken when it is the same at the next look."""

RETRY_SECONDS: Final = 60.0
"""After a failure that is no fault of the bundle, such as too little memory."""

Stamp = tuple[str, int, int, int]
"""(name, inode, size, time of the last change in nanoseconds) of a file"""


class BundleFollower:
    """The champion of one workspace for one service. All but loading runs in the event loop, so that no
    request sees half a swap."""

    def __init__(
        self,
        service: Service,
        *,
        workspace: Path,
        status: BundleStatus,
        load: Callable[[Path], Service],
        held: HeldBundle,
        turn: Path,
        refused_alias: Path,
        after_swap: Callable[[], None] = lambda: None,
    ) -> None:
        """`load` reads, verifies and warms a bundle, as a service of its own; it runs in a thread. `turn`: a
        file that the replicas of a server share, of which one loads at a time. `refused_alias`: a file that
        says what is wrong with the bundle that has MLflow's alias, while something is."""
        self._service, self._workspace, self._status = service, workspace, status
        self._load, self._held, self._turn = load, held, turn
        self._refused_alias, self._after_swap = refused_alias, after_swap
        self._in_step: Stamp | None = None
        """The pointer whose bundle answers"""
        self._last: list[Stamp] = []
        self._tried: list[Stamp] = []
        self._next_try = math.inf

    async def run(self) -> None:
        """Look every second, for ever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Take what `champion.json` names, where that is another bundle than the one that answers.

        One that cannot be loaded is refused, and tried again when the pointer or a file of the bundle has
        changed. Nothing is raised.
        """
        self._status.refused_alias = _text(self._refused_alias)
        pointer = _stamp(self._workspace / POINTER_FILE)
        if pointer is None or pointer == self._in_step:
            return
        found = [pointer, *self._stamps_of_wanted()]
        is_settled, self._last = found == self._last, found
        if not is_settled or (found == self._tried and time.monotonic() < self._next_try):
            return
        self._tried, self._next_try = found, math.inf
        try:
            await self._follow()
        except Exception as error:
            self._refuse(error)
            return
        self._in_step = pointer
        self._status.refused = self._status.fallback_reason = None

    async def _follow(self) -> None:
        """Let the champion answer, where it does not yet. Raises whatever is wrong with it."""
        wanted = read_pointer(self._workspace)
        if wanted is None or wanted.version == self._service.pipeline.bundle.version:
            return
        folder, fresh, seconds = await asyncio.to_thread(self._load_champion)
        await fresh.follow_items()  # what was put meanwhile
        self._service.use(fresh.live)
        self._service.store.forget_histories()
        self._held.hold(folder)
        self._status.num_swaps += 1
        self._status.swap_seconds = seconds
        self._after_swap()
        bundle = self._service.pipeline.bundle
        fields = {"bundle": bundle.name, "version": bundle.version}
        logger.info("another bundle answers", extra={"fields": fields | {"seconds": round(seconds, 3)}})

    def _load_champion(self) -> tuple[Path, Service, float]:
        """In a thread: the champion's folder, what was made of it, and how many seconds it took."""
        with locked(self._turn):
            began = time.perf_counter()
            folder = champion_bundle(self._workspace)
            fresh = self._load(folder)
            return folder, fresh, time.perf_counter() - began

    def _refuse(self, error: Exception) -> None:
        """Go on with the bundle that answers, and say so once."""
        if not isinstance(error, ArtefactError):
            self._next_try = time.monotonic() + RETRY_SECONDS
        reason = " ".join(str(error).split()) or type(error).__name__
        if reason != self._status.refused:
            served = self._service.pipeline.bundle.version
            logger.error("The champion is refused, and version %s answers as before. %s", served, reason)
        self._status.refused = reason

    def _stamps_of_wanted(self) -> list[Stamp]:
        """Of the files of the bundle that is wanted; none where the pointer cannot be read."""
        try:
            pointer = read_pointer(self._workspace)
            files = sorted(pointer.bundle.rglob("*")) if pointer else []
        except Exception:  # loading says what is wrong with it
            return []
        return [stamp for file in files if (stamp := _stamp(file)) is not None]


def _stamp(path: Path) -> Stamp | None:
    """None where there is no such file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return str(path), found.st_ino, found.st_size, found.st_mtime_ns


def _text(path: Path) -> str | None:
    """None where there is no such file."""
    try:
        return path.read_text(encoding="utf-8", errors="replace") or None
    except OSError:
        return None
