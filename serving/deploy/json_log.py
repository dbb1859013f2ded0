"""The server's log: a JSON object a line, written by all processes of a server into one file.

{"time": "2026-11-27T07:50:49.123Z", "level": "error", "logger": "shopkeeper.http",
 "message": "request failed", "process": 4711, "request_id": "9f1c…", "route": "/v1/recommend", …}
"""

from __future__ import annotations

import fcntl
import json
import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from serving.http.request_log import REQUEST_ID

MAX_BYTES: Final = 10_000_000
NUM_OLD_FILES: Final = 5
"""serve.jsonl.1 is the newest of them."""


@dataclass(frozen=True)
class LogSettings:
    """Where the log is, and what stands in it."""

    file: Path
    with_user_ids: bool
    slow_seconds: float


def log_to_file(settings: LogSettings, *, level: int = logging.INFO) -> None:
    """Write what Shopkeeper's loggers say in this process to the file. A second call changes the file."""
    root = logging.getLogger("shopkeeper")
    for handler in [one for one in root.handlers if isinstance(one, SharedFileHandler)]:
        root.removeHandler(handler)
    handler = SharedFileHandler(settings.file)
    handler.setFormatter(JsonFormatter(with_user_ids=settings.with_user_ids))
    root.addHandler(handler)
    root.setLevel(level)


class JsonFormatter(logging.Formatter):
    """A record as a line of JSON. `extra={"fields": {…}}` adds fields of its own."""

    def __init__(self, *, with_user_ids: bool) -> None:
        super().__init__()
        self._with_user_ids = with_user_ids

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
        }
        if (request_id := REQUEST_ID.get()) is not None:
            entry["request_id"] = request_id
        entry |= getattr(record, "fields", {})
        if record.exc_info and (error := record.exc_info[1]) is not None:
            entry |= self._error(error)
        return json.dumps(entry, ensure_ascii=False, default=str)

    def _error(self, error: BaseException) -> dict[str, Any]:
        """The type and the stack. The message of an unexpected error may quote a user's id."""
        found = {"error": type(error).__name__, "stack": "".join(traceback.format_tb(error.__traceback__))}
        return found | ({"error_message": str(error)} if self._with_user_ids else {})


class SharedFileHandler(logging.Handler):
    """Appends to a file that other processes append to as well, and renames it when it is long.

    Each line takes a lock and opens the file, which costs some 0.1 ms: it is for few lines.
    """

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES) -> None:
        super().__init__()
        self._path, self._max_bytes = path, max_bytes

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler.emit`."""
        try:
            line = (self.format(record) + "\n").encode("utf-8", "backslashreplace")
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._locked():
                if self._path.exists() and self._path.stat().st_size + len(line) > self._max_bytes:
                    self._rotate()
                with self._path.open("ab") as file:
                    file.write(line)
        except Exception:
            self.handleError(record)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._path.with_name(f".{self._path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _rotate(self) -> None:
        for number in range(NUM_OLD_FILES, 0, -1):
            older = self._numbered(number - 1)
            if older.exists():
                older.replace(self._numbered(number))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path
