"""Watches a running server: what Ray cannot mend ends it, with the reason."""

from __future__ import annotations

import subprocess
import time
from typing import Final

import httpx

from configs.console import log
from serving.deploy.notices import NoticeReader, logger
from serving.deploy.run_folder import RunFolder

CORE_PROGRAMS: Final = ("gcs_server", "raylet")
"""Processes of Ray without which nothing is started again."""

_PROBE_SECONDS: Final = 2.0
_TOLD_SECONDS: Final = 1.0
"""A silence that is worth a line on the terminal."""
_PATIENCE_SECONDS: Final = 60.0
"""Ray replaces a killed replica, HAProxy or controller within 15 s on a quiet machine."""


class Watchdog:
    """Looks at the processes and asks the server, from time to time."""

    def __init__(
        self,
        url: str,
        *,
        run: RunFolder,
        process: subprocess.Popen[bytes],
        notices: NoticeReader,
    ) -> None:
        """`process` is the one that runs Ray. What goes wrong and is mended is shown on the terminal."""
        self._url, self._run, self._process, self._notices = url, run, process, notices
        self._core = {number: name for number, name in run.processes() if name in CORE_PROGRAMS}
        self._client = httpx.Client(
            timeout=_PROBE_SECONDS, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
        )
        self._silent_since: float | None = None
        self._is_told = False
        self._cannot_start: str | None = None

    def failure(self) -> str | None:
        """Why the server cannot go on; None while it answers, or may do so again."""
        return self._lost_process() or self._no_answer()

    def _lost_process(self) -> str | None:
        if (status := self._process.poll()) is not None:
            return f"The process that runs Ray ended with status {status}."
        if self._core:
            present = {number for number, _ in self._run.processes()}
            for number, name in self._core.items():
                if number not in present:
                    return f"Ray's {name} (process {number}) ended."
        return None

    def _no_answer(self) -> str | None:
        answers = self._answers()
        for notice in self._notices.new():
            log(notice.text)
            if notice.is_critical:
                self._cannot_start = notice.text
        if answers:
            if self._is_told and self._silent_since is not None:
                _tell(f"The server answers again after {time.monotonic() - self._silent_since:.0f} s.")
            self._silent_since, self._is_told, self._cannot_start = None, False, None
            return None
        if self._cannot_start is not None:
            return self._cannot_start
        now = time.monotonic()
        self._silent_since = self._silent_since or now
        if now - self._silent_since > _TOLD_SECONDS and not self._is_told:
            _tell("No server process answers; Ray starts another one.")
            self._is_told = True
        if now - self._silent_since > _PATIENCE_SECONDS:
            return f"No server process has answered for {_PATIENCE_SECONDS:.0f} s."
        return None

    def _answers(self) -> bool:
        """Whether a replica answers through HAProxy."""
        try:
            return self._client.get(f"{self._url}/healthz").status_code == 200
        except httpx.HTTPError:
            return False


def _tell(message: str) -> None:
    logger.warning("%s", message)
    log(message)
