"""A page as a PDF, printed by a browser that is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from configs.exceptions import ConfigError
from features.core.artefact import writing_file

BROWSERS: Final = (
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
    "chrome",
    "msedge",
    "microsoft-edge",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)
MAX_SECONDS: Final = 120


def write_pdf(page: Path, path: Path) -> None:
    """Print the HTML file `page`. Raises ConfigError without a browser, or where it fails."""
    browser = find_browser()
    if browser is None:
        raise ConfigError(
            f"--pdf: {page} was written, and there is no Chromium, Chrome or Edge here to print it. Install "
            "one (Debian: apt install chromium), or open the page in any browser and print it to a file."
        )
    with writing_file(path) as scratch, tempfile.TemporaryDirectory() as profile:
        command = [browser, "--headless", "--disable-gpu", "--no-first-run", f"--user-data-dir={profile}"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.append("--no-sandbox")  # its sandbox does not start as root
        command += ["--no-pdf-header-footer", f"--print-to-pdf={scratch.resolve()}", page.resolve().as_uri()]
        failed = _run(command)
        if failed is None and not (scratch.is_file() and scratch.stat().st_size):
            failed = "it wrote nothing"
        if failed is not None:
            raise ConfigError(
                f"--pdf: {browser} did not print {page}: {failed}. Open the page in a browser and print it."
            )


def find_browser() -> str | None:
    """The first of `BROWSERS` that is installed."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def _run(command: list[str]) -> str | None:
    """What went wrong, or None."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=MAX_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"it took more than {MAX_SECONDS} seconds"
    except OSError as error:
        return str(error)
    lines = done.stderr.strip().splitlines()
    return None if done.returncode == 0 else (lines[-1] if lines else f"exit status {done.returncode}")
