"""Libraries keep what they see to themselves: no device id, no queue of events, no connection."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hand_made_bundle import write_bundle

from configs.telemetry import TELEMETRY_OFF

ROOT = Path(__file__).parents[3]
RECOMMEND = """
import sys
from pathlib import Path
def no_connection(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        sys.stderr.write(f"{event} {arguments}")
        sys.exit(3)
sys.addaudithook(no_connection)
from features.histories import History
from serving.recommend.pipeline import Pipeline
from serving.recommend.request import Query
pipeline = Pipeline.load(Path(sys.argv[1]))
print(len(pipeline.recommend(Query(History.empty(), pipeline.bundle.as_of)).recommendations))
"""


def recommend(bundle: Path, home: Path, *, traced: bool, **variables: str) -> list[str]:
    """The files that a recommendation creates in an empty home, and what it opens for writing or connects
    to, where strace is installed."""
    home.mkdir()
    # nothing else of this environment: ONNX Runtime keeps quiet by itself where it sees CI or GITHUB_ACTIONS
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home), **variables}
    trace = home.with_suffix(".trace")
    strace = ["strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=connect,openat", "-o", str(trace)]
    command = [sys.executable, "-c", RECOMMEND, str(bundle)]
    done = subprocess.run(
        [*strace, *command] if traced and shutil.which("strace") else command,
        env=environment,
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0
    found = [str(file.relative_to(home)) for file in home.rglob("*") if file.is_file()]
    if trace.exists():
        lines = trace.read_text(encoding="utf-8", errors="replace").splitlines()
        found += [
            line for line in lines if "connect(" in line or ("O_CREAT" in line and "__pycache__" not in line)
        ]
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="ONNX Runtime's telemetry keeps its files elsewhere")
def test_a_recommendation_leaves_no_file_and_opens_no_connection(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    assert recommend(bundle, tmp_path / "home", traced=True) == []
    wanted = recommend(bundle, tmp_path / "other", traced=False, ORT_DISABLE_TELEMETRY="0")
    assert any("onnxruntime.db" in line for line in wanted), (
        "this test must see the telemetry of who wants it"
    )


def test_onnx_runtime_is_imported_in_one_place_which_switches_it_off_first() -> None:
    folders = ("configs", "features", "models", "training", "serving", "scripts", "benchmarks")
    importing = {
        file.relative_to(ROOT).as_posix()
        for folder in folders
        for file in (ROOT / folder).rglob("*.py")
        if "import onnxruntime" in file.read_text(encoding="utf-8")
    }
    assert importing == {"features/core/onnx.py"}


def test_images_have_it_off_too() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    for name, text in TELEMETRY_OFF.items():
        assert f"{name}={text}" in dockerfile
