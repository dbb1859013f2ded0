"""Follows the alias `champion` in MLflow: where somebody moves it, `champion.json` follows, and with it every
server of the workspace.

alias ▶ model version ▶ bundle in the workspace, downloaded where it is not there, verified ▶ champion.json
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from typing import Final

from configs.console import log
from configs.exceptions import ArtefactError
from configs.schema import Config
from serving.recommend.served_bundle import ChampionPointer, next_pointer, read_pointer, replace_pointer
from training.runs.run import Run
from training.tracking.client import first_line
from training.tracking.fetched_bundle import fetched_bundle
from training.tracking.model_versions import CHAMPION, ModelVersion, version_with_alias
from training.tracking.workspace_store import STORE_FILE

LONGEST_PAUSE: Final = 300.0
"""Seconds between two looks after failures. Each pause is twice as long as the one before."""

_logger = logging.getLogger("shopkeeper.alias")


class AliasFollower:
    """One for a server, in a process that answers no requests: MLflow is large, and may be slow.

    The pointer says where the alias was when it was written. An alias that is elsewhere was moved since, be
    it while no server ran, and is followed. So the later of the two decides.
    """

    def __init__(self, config: Config, *, report: Callable[[str | None], None] = lambda _: None) -> None:
        """`report` is told what is wrong with the bundle that has the alias, and None when nothing is any
        more."""
        self._config, self._report = config, report
        self._failure: str | None = None
        self._refused: str | None = None

    def run(self, stop: threading.Event) -> None:
        """Look every `tracking.follow_alias_s` until `stop` is set. What fails is logged once."""
        interval = self._config.tracking.follow_alias_s
        if not (interval and self._config.tracking.enabled and self._is_installed()):
            return
        pause = 0.0
        while not stop.wait(pause):
            pause = interval if self.try_to_look() else min(max(2 * pause, interval), LONGEST_PAUSE)

    def try_to_look(self) -> bool:
        """Look once; False where MLflow fails, or the bundle with the alias cannot be served."""
        try:
            self.look()
        except ArtefactError as error:
            self._fail(f"MLflow's alias {CHAMPION} cannot be followed. {error}")
            self._refuse(str(error))
            return False
        except Exception as error:  # whatever a store and its drivers raise
            self._fail(
                "MLflow cannot be asked where the alias is: the server goes on with its champion, and asks "
                f"again later. ({first_line(error)})"
            )
            return False
        if self._failure:
            log("MLflow's alias is followed again.")
        self._failure = None
        self._refuse(None)
        return True

    def look(self) -> None:
        """Make the bundle with the alias the champion, where the alias was moved since the pointer was
        written. Raises ArtefactError for a bundle that cannot be served, and TrainingError without MLflow."""
        workspace = self._config.workspace
        if self._config.tracking.uri is None and not (workspace / STORE_FILE).is_file():
            return
        pointer, version = read_pointer(workspace), version_with_alias(self._config)
        if version is None or (pointer is not None and pointer.alias == version.number):
            return
        if pointer is not None and pointer.alias is None:
            self._note(pointer, version)
            return
        folder, fingerprint = fetched_bundle(self._config, version, champion=pointer)
        new = next_pointer(pointer, run=version.run, version=fingerprint, bundle=folder, alias=version.number)
        if not replace_pointer(workspace, new, instead_of=pointer):
            return  # a command was faster, and the next look sees what it did
        if pointer is None or pointer.run != new.run:
            self._tell(new, by=version)

    def _is_installed(self) -> bool:
        if find_spec("mlflow") is not None:
            return True
        if self._config.tracking.uri is not None:
            log("MLflow is not installed here: the server follows champion.json, and not the alias.")
        return False

    def _note(self, pointer: ChampionPointer, version: ModelVersion) -> None:
        """A pointer that was never in step with the alias stays, and its next moves count."""
        if version.run != pointer.run:
            log(
                f"MLflow's alias {CHAMPION} is at {version.run}, and champion.json names {pointer.run}, "
                "which is served. From now on a move of the alias is followed."
            )
        replace_pointer(self._config.workspace, replace(pointer, alias=version.number), instead_of=pointer)

    def _tell(self, new: ChampionPointer, *, by: ModelVersion) -> None:
        why = f"the alias was moved to version {by.number} in MLflow"
        log(f"{new.run} is the champion now: {why}.")
        _logger.info("champion changed", extra={"fields": {"bundle": new.run, "version": new.version}})
        run = Run(self._config.workspace / "runs" / new.run)
        if run.exists and (entry := run.read().bundle) is not None:
            run.update(bundle=entry.model_copy(update={"champion": True, "why": why}))

    def _refuse(self, reason: str | None) -> None:
        if reason != self._refused:
            self._report(reason)
        self._refused = reason

    def _fail(self, message: str) -> None:
        if message != self._failure:
            log(message)
            _logger.error("%s", message)
        self._failure = message
