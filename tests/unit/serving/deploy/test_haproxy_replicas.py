"""HAProxy's answer about its servers is read; none, or a broken one, is 0 replicas."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from serving.deploy.haproxy_replicas import num_replicas_known
from serving.deploy.ray_environment import ADMIN_SOCKET

STATE = b"""1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state
5 http-shopkeeper 1 SERVE_REPLICA_shopkeeper-shopkeeper-4qg23rxb 127.0.0.1 2 0
5 http-shopkeeper 2 SERVE_REPLICA_shopkeeper-shopkeeper-apcf020z 127.0.0.1 2 0
7 lists 1 SERVE_REPLICA_shopkeeper-shopkeeper-4qg23rxb 127.0.0.1 2 0
7 lists 2 SERVE_REPLICA_shopkeeper-shopkeeper-apcf020z 127.0.0.1 2 0

"""


@pytest.mark.parametrize(("answer", "expected"), [(STATE, 2), (b"Unknown command\n", 0), (b"", 0)])
def test_replicas_are_counted_once(tmp_path: Path, answer: bytes, expected: int) -> None:
    node = tmp_path / "node"
    node.mkdir()
    with socket.socket(socket.AF_UNIX) as haproxy:
        haproxy.bind(str(node / ADMIN_SOCKET))
        haproxy.listen()

        def reply() -> None:
            caller, _ = haproxy.accept()
            with caller:
                caller.recv(100)
                caller.sendall(answer)

        thread = threading.Thread(target=reply)
        thread.start()
        assert num_replicas_known(tmp_path) == expected
        thread.join()


def test_no_haproxy_knows_none(tmp_path: Path) -> None:
    assert num_replicas_known(tmp_path) == 0
    (tmp_path / "node").mkdir()
    (tmp_path / "node" / ADMIN_SOCKET).touch()
    assert num_replicas_known(tmp_path) == 0
