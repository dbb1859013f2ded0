"""A server that reads a request and does nothing, on the set-up of the real one: Ray Serve behind HAProxy.

`python -m benchmarks.live_server.noop RUN_FOLDER PORT REPLICAS` is its process; it ends with its stdin.
"""

# no `annotations` from `__future__`: the app is pickled, and FastAPI could not look up names in strings

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import httpx
from fastapi import FastAPI, Request, Response

from benchmarks.folders import ROOT
from serving.deploy.run_folder import RunFolder

PATH, DIRECT_PATH = "/noop", "/v1/recommend"
"""Through Ray Serve, and on the replica's own socket, where HAProxy sends lists"""
READY_SECONDS = 60


@contextmanager
def noop_server(port: int, *, num_replicas: int) -> Iterator[RunFolder]:
    """Run it; no process is left afterwards."""
    from serving.deploy.ports import free_ports
    from serving.deploy.ray_environment import NUM_PORTS, ray_environment

    run = RunFolder.create()
    command = [sys.executable, "-m", "benchmarks.live_server.noop", str(run.path), str(port)]
    ports = free_ports(NUM_PORTS)
    environment = ray_environment(run.path, ports, max_wait_ms=200) | {"PYTHONPATH": str(ROOT)}
    output = (run.path / "output.txt").open("wb")
    process = subprocess.Popen(
        [*command, str(num_replicas)],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
    )
    try:
        until = time.monotonic() + READY_SECONDS
        while not _answers(port):
            if time.monotonic() > until or process.poll() is not None:
                raise SystemExit((run.path / "output.txt").read_text()[-2_000:])
            time.sleep(0.2)
        yield run
    finally:
        process.kill()
        process.wait()
        run.remove()


def _answers(port: int) -> bool:
    try:
        return httpx.post(f"http://127.0.0.1:{port}{PATH}", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def main(run_folder: Path, port: int, num_replicas: int) -> None:
    """Deploy with the options of the real replicas, and wait for the end of stdin."""
    import ray
    from ray import serve

    from serving.deploy.direct_server import listen
    from serving.deploy.replica import Replica

    class Noop:
        async def __serve_build_asgi_app__(self) -> FastAPI:
            app = FastAPI()

            @app.post(PATH)
            @app.post(DIRECT_PATH)
            async def answer(request: Request) -> Response:
                await request.body()
                return Response(b'{"items": []}', media_type="application/json")

            replica = serve.get_replica_context().replica_id.unique_id
            await listen(app, run_folder, replica=replica)
            return app

    ray.init(
        address="local",
        num_cpus=num_replicas,
        object_store_memory=80 * 2**20,
        include_dashboard=False,
        log_to_driver=False,
        _temp_dir=str(run_folder / "ray"),
    )
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    deployment = cast(Any, Replica).options(func_or_class=serve.ingress()(Noop), num_replicas=num_replicas)
    serve.run(deployment.bind(), name="shopkeeper", route_prefix="/")
    sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
