"""`python -m scripts.lock_images` writes `locks/*.lock`: what the images install, with all files' hashes.

It asks uv (https://docs.astral.sh/uv/) for the versions of constraints.txt and the hashes of the public
index. A lock of an extra has what that of the server lacks. torch is in none, and with it what
constraints.txt does not pin: which build of torch is right depends on the machine.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
LOCKS: Final = ROOT / "locks"
EXTRAS: Final = {"serve": "redis", "train": "train", "demo": "demo"}
"""Lock → the extra of pyproject.toml that it has beside the base."""
INDEX: Final = "https://pypi.org/simple"
WITHOUT_HASHES: Final = "torch"

_HEADER: Final = "# Made by `make lock` of pyproject.toml and constraints.txt.\n"
_PIN: Final = re.compile(r"^([a-z0-9._-]+)==(\S+)", re.MULTILINE | re.IGNORECASE)


def read_pins(text: str) -> dict[str, str]:
    """Name → version, of constraints.txt or of a lock."""
    return {name.lower().replace("_", "-"): version for name, version in _PIN.findall(text)}


def main() -> None:
    """Write all locks. Ends with a message where uv is missing or fails."""
    if shutil.which("uv") is None:
        sys.exit("uv is needed: https://docs.astral.sh/uv/getting-started/installation/")
    pinned = read_pins((ROOT / "constraints.txt").read_text(encoding="utf-8"))
    LOCKS.mkdir(exist_ok=True)
    of_server: Mapping[str, str] = {}
    for lock, extra in EXTRAS.items():
        found = {
            name: text
            for name, text in _compiled(extra).items()
            if name in pinned and name != WITHOUT_HASHES and name not in of_server
        }
        (LOCKS / f"{lock}.lock").write_text(_HEADER + "".join(found.values()), encoding="utf-8")
        of_server = of_server or found


def _compiled(extra: str) -> dict[str, str]:
    """Name → its lines, with hashes, of the base and an extra."""
    command = ["uv", "pip", "compile", "--no-config", "--universal", "--python-version", "3.11"]
    command += ["--default-index", INDEX, "--generate-hashes", "--no-header", "--no-annotate"]
    command += ["-c", "constraints.txt", "--extra", extra, "pyproject.toml"]
    own = {name: value for name, value in os.environ.items() if not name.startswith(("UV_", "PIP_"))}
    done = subprocess.run(command, cwd=ROOT, env=own, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    starts = [found.start() for found in _PIN.finditer(done.stdout)]
    texts = [done.stdout[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]
    return {next(iter(read_pins(text))): text for text in texts}


if __name__ == "__main__":
    main()
