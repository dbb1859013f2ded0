"""What a refresh has done so far, in `refresh.json` of the workspace, and the lock that keeps others out."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict

from configs.console import log
from configs.exceptions import RefreshRunningError
from features.core.artefact import translate_write_errors, writing_file

STATE_FILE: Final = "refresh_state.json"
LOCK_FILE: Final = "refresh_lock"


class RefreshState(BaseModel):
    """One refresh. Each change is on disk before the next step begins: a kill loses one step at most."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    settings: str
    """Every setting, as YAML"""
    changed_at: float
    """Seconds since 1970"""
    seconds: dict[str, float] = {}
    """Step that is done → how long it took"""
    dataset: str | None = None
    """The fingerprint of the dataset that was prepared"""
    run: str | None = None
    """The run that was begun"""
    decision: dict[str, Any] | None = None
    """What the gate decided"""
    finished: bool = False

    @classmethod
    def continued(cls, workspace: Path, settings: str, *, hours: float) -> Self | None:
        """The refresh of the workspace that was interrupted; None where there is none that can be continued:
        with these settings, at most so many hours ago."""
        path = workspace / STATE_FILE
        if not path.is_file():
            return None
        try:
            state = cls.model_validate_json(path.read_text(encoding="utf-8"))
        except ValueError:  # of another version
            return None
        if state.finished:
            return None
        if state.settings != settings:
            log("an interrupted refresh had other settings: beginning anew")
            return None
        if time.time() - state.changed_at > 3600 * hours:
            log("an interrupted refresh is older than refresh.resume_hours: beginning anew")
            return None
        return state

    def save(self, workspace: Path) -> None:
        """Write it, atomically."""
        self.changed_at = time.time()
        workspace.mkdir(parents=True, exist_ok=True)
        with writing_file(workspace / STATE_FILE) as scratch:
            scratch.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")

    def step(self, workspace: Path, name: str, work: Callable[[], None]) -> None:
        """Do the work of a step, unless it is done already, and keep that it is done."""
        if name in self.seconds:
            log(f"{name}: done before the interruption")
            return
        log(f"{name} …")
        started = time.monotonic()
        work()
        self.seconds[name] = round(time.monotonic() - started, 2)
        self.save(workspace)


@contextmanager
def refresh_lock(workspace: Path) -> Iterator[None]:
    """Hold the workspace's lock, which ends with the process. Raises RefreshRunningError where another
    process has it."""
    path = workspace / LOCK_FILE
    with translate_write_errors(path):
        workspace.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise RefreshRunningError(
                f"{workspace}: another refresh is running, the process {file.read().strip() or 'unknown'}. "
                "Wait for it, or stop it first."
            ) from None
        file.seek(0)
        file.truncate()
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
