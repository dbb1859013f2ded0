"""A virtual environment for each peer of `benchmarks/peers.txt`, made once and kept in a cache folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PEERS_FILE = Path(__file__).parents[1] / "peers.txt"
RUNNERS = Path(__file__).parents[1] / "peers"
SECONDS_TO_INSTALL = 1800


@dataclass(frozen=True)
class Peer:
    """One line of peers.txt."""

    name: str
    runner: Path
    requirements: tuple[str, ...]

    def environment(self, cache: Path) -> Path:
        """Its folder, which depends on the requirements and on the Python version."""
        digest = hashlib.sha256(" ".join([*self.requirements, sys.version]).encode()).hexdigest()
        return cache / f"{self.name}-{digest[:8]}"


class NotInstalledError(Exception):
    """pip could not install a peer; the message is the end of its output."""


def read_peers(path: Path = PEERS_FILE) -> list[Peer]:
    """A peer per line that is no comment: name, runner, requirements."""
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    return [
        Peer(line[0], RUNNERS / line[1], tuple(line[2:]))
        for line in lines
        if line and not line[0].startswith("#")
    ]


def default_cache() -> Path:
    """Where environments are kept between calls: outside the checkout, since they take gigabytes."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "shopkeeper" / "peers"


def python_of(peer: Peer, cache: Path) -> Path:
    """The peer's own Python, installed on the first call. Raises NotInstalledError."""
    folder = peer.environment(cache)
    python = folder / "bin" / "python"
    if (folder / "installed").is_file():
        return python
    shutil.rmtree(folder, ignore_errors=True)  # an earlier installation that did not finish
    folder.parent.mkdir(parents=True, exist_ok=True)
    pip: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    make_environment: list[str | Path] = [sys.executable, "-m", "venv", folder]
    for command in (make_environment, [*pip, *peer.requirements]):
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=SECONDS_TO_INSTALL
            )
        except subprocess.TimeoutExpired:
            raise NotInstalledError(f"pip took more than {SECONDS_TO_INSTALL} s") from None
        if done.returncode:
            raise NotInstalledError(
                (done.stderr or done.stdout).strip()[-600:] or f"exit status {done.returncode}"
            )
    (folder / "installed").touch()
    return python
