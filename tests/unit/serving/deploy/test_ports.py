"""Ports that are held until the process that listens there has started."""

from __future__ import annotations

import random
import socket

import pytest

from configs.exceptions import ServingError
from serving.deploy.ports import free_ports, hold_free_ports, hold_port, port_of, release


def listens(port: int) -> socket.socket:
    """A listener, as HAProxy and uvicorn make it."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen()
    return listener


def test_a_held_port_is_chosen_by_nobody_else_and_may_be_listened_on() -> None:
    held = hold_free_ports(2)
    try:
        first, second = (port_of(one) for one in held)
        assert first != second
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", first))
        with listens(first) as listener, socket.socket() as client:
            client.connect(("127.0.0.1", first))
            accepted, _ = listener.accept()
            accepted.close()
    finally:
        release(held)
    listens(second).close()


def test_two_trainings_with_one_seed_do_not_choose_the_same_ports() -> None:
    random.seed(42)
    first = free_ports(3)
    random.seed(42)
    assert free_ports(3) != first


def test_a_port_on_which_somebody_listens_is_refused_with_another_value() -> None:
    with listens(free_ports(1)[0]) as listener:
        port = port_of(listener)
        with pytest.raises(ServingError, match=rf"Port {port} .* is in use.*serving\.port={port + 1}"):
            hold_port("127.0.0.1", port, setting="serving.port")
    hold_port("127.0.0.1", port, setting="serving.port").close()
    with pytest.raises(ServingError, match="cannot be used"):
        hold_port("192.0.2.1", port, setting="serving.port")
