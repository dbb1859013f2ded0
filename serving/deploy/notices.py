"""Errors of the server's processes, passed on to the terminal of `serve`."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

logger = logging.getLogger("shopkeeper.deploy")
"""An error here is shown on the terminal; a critical one means that a process cannot start."""

_FILE: Final = "notices"


class NoticeHandler(logging.Handler):
    """Appends errors, a line each, to a file in the run folder."""

    def __init__(self, run_folder: Path) -> None:
        super().__init__(logging.ERROR)
        self._path = run_folder / _FILE

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler.emit`."""
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{record.levelname} {' '.join(record.getMessage().split())}\n")
        except OSError:
            self.handleError(record)


@dataclass(frozen=True)
class Notice:
    """One error of one process."""

    text: str
    is_critical: bool


class NoticeReader:
    """Reads what was appended since the last time."""

    def __init__(self, run_folder: Path) -> None:
        self._path, self._read_bytes = run_folder / _FILE, 0

    def new(self) -> list[Notice]:
        """The notices that are whole lines by now."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._read_bytes)
                text = file.read()
        except FileNotFoundError:
            return []
        whole = text[: text.rfind(b"\n") + 1]
        self._read_bytes += len(whole)
        lines = [line.partition(" ") for line in whole.decode("utf-8").splitlines()]
        return [Notice(message, is_critical=level == "CRITICAL") for level, _, message in lines]
