"""Several processes write one log: every line is whole, also where the file is renamed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from configs.load import load_config
from serving.deploy.settings import log_settings

WRITER = """
import logging, sys
from pathlib import Path
from serving.deploy.json_log import JsonFormatter, SharedFileHandler
handler = SharedFileHandler(Path(sys.argv[1]), max_bytes=20_000)
handler.setFormatter(JsonFormatter(with_user_ids=False))
logger = logging.getLogger("shopkeeper.test")
logger.addHandler(handler)
for number in range(100):
    logger.error("line\\n%s", number, extra={"fields": {"writer": sys.argv[2]}})
"""


def test_lines_of_several_processes_are_whole_and_none_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "serve.jsonl"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(number)]) for number in range(3)
    ]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    files = sorted(path.parent.glob("serve.jsonl*"))
    assert len(files) > 1
    assert all(file.stat().st_size <= 20_000 for file in files)
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    assert sorted((line["writer"], line["message"]) for line in lines) == sorted(
        (str(writer), f"line\n{number}") for writer in range(3) for number in range(100)
    )


def test_the_log_is_in_the_workspace_unless_a_setting_names_another_place(tmp_path: Path) -> None:
    config = load_config(workspace=tmp_path)
    assert log_settings(config).file == tmp_path / "logs" / "serve.jsonl"
    other = load_config(workspace=tmp_path, overrides=[f"serving.log_file={tmp_path}/other.jsonl"])
    assert log_settings(other).file == tmp_path / "other.jsonl"
