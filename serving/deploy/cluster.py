"""The process that runs Ray: `python -m serving.deploy.cluster RUN_FOLDER`, started by `server.start`.

It reads its settings from the run folder, deploys the replicas, and ends with its parent. `stop` on stdin is
an orderly end: requests in progress are answered. The end of stdin means that the parent was killed: then
everything ends at once.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from pathlib import Path
from typing import Any, Final, cast

import ray
from pydantic import TypeAdapter
from ray import serve

from serving.deploy.cluster_protocol import SETTINGS_FILE, STOP
from serving.deploy.json_log import log_to_file
from serving.deploy.notices import NoticeHandler, logger
from serving.deploy.public_host import local_host
from serving.deploy.replica import Replica
from serving.deploy.run_folder import RunFolder
from serving.deploy.settings import DeploySettings

_OBJECT_STORE_BYTES: Final = 80 * 2**20
"""Nothing goes through Ray's object store; this is close to the minimum that Ray accepts."""


def main(run_folder: Path) -> None:
    """Deploy, wait for the word on stdin, and shut down."""
    stop = threading.Event()
    threading.Thread(target=_follow_parent, args=(RunFolder(run_folder), stop), daemon=True).start()
    settings = TypeAdapter(DeploySettings).validate_json((run_folder / SETTINGS_FILE).read_bytes())
    log_to_file(settings.replica.log)
    logger.addHandler(NoticeHandler(run_folder))
    try:
        _deploy(settings, run_folder)
    except (RuntimeError, OSError, ValueError, ray.exceptions.RayError) as error:
        *before, last = str(error).strip().splitlines() or [type(error).__name__]
        alerts = [line for line in before if "[ALERT]" in line]  # of HAProxy: which port it cannot have
        logger.critical("Ray: %s", " ".join([*alerts, last]))
        sys.exit(1)
    stop.wait()
    serve.shutdown()
    ray.shutdown()


def _follow_parent(folder: RunFolder, stop: threading.Event) -> None:
    if os.read(sys.stdin.fileno(), len(STOP)):
        stop.set()
        if os.read(sys.stdin.fileno(), 1):
            return
    folder.remove()
    os._exit(1)


def _deploy(settings: DeploySettings, run_folder: Path) -> None:
    for name in ("ray", "ray.serve"):
        logging.getLogger(name).setLevel(logging.ERROR)
    ray.init(
        address="local",
        num_cpus=max(1, settings.num_replicas),
        object_store_memory=_OBJECT_STORE_BYTES,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        _temp_dir=str(run_folder / "ray"),
    )
    host = local_host(settings.replica.serving.host)
    serve.start(http_options={"host": host, "port": settings.port})
    replicas = cast(Any, Replica).options(num_replicas=settings.num_replicas)
    serve.run(replicas.bind(settings.replica), name="shopkeeper", route_prefix="/")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
