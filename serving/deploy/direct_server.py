"""A replica's own HTTP server on a Unix socket, for lists and events: HAProxy sends them here.

Ray Serve deploys, watches and replaces the replica; of each request on its own port it keeps figures and a
context, which takes longer than a list whose user is known. The app, and the loop that runs it, are the same.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from serving.deploy.haproxy_backends import socket_name
from serving.deploy.one_write import OneWriteProtocol

_KEEP_ALIVE_SECONDS: Final = 3_600
"""Longer than HAProxy keeps an unused connection, so that it never sends into one that is being closed."""

_running: Final = set[asyncio.Task[None]]()


async def listen(app: ASGIApp, folder: Path, *, replica: str) -> Path:
    """Answer on a socket in `folder` until the process ends; returns its path once it listens.

    `replica`: the id by which HAProxy knows it. Raises OSError where the socket cannot be made.
    """
    path = folder / socket_name(replica)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            uds=str(path),
            http=OneWriteProtocol,
            lifespan="off",
            access_log=False,
            log_config=None,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        )
    )
    task = asyncio.get_running_loop().create_task(server.serve())
    _running.add(task)
    while not server.started:
        if task.done():
            await task
            raise OSError(f"{path}: no server listens there")
        await asyncio.sleep(0.01)
    return path
