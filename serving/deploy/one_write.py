"""The head of a response goes out with the first part of its body, in one write.

uvicorn writes them apart. A replica that is killed between the two has answered half: HAProxy has passed the
head on, and can neither ask another replica nor say that there was an error. It also costs HAProxy and its
caller one more wake-up a request.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.auto import AutoHTTPProtocol

_HEAD: Final = b"HTTP/1."
_FINAL: Final = frozenset(b"2345")
"""First digits of the statuses of final responses: `100 Continue` is written at once."""


class OneWriteProtocol(AutoHTTPProtocol):  # type: ignore[misc,valid-type]
    """uvicorn's HTTP protocol on an `OneWriteTransport`."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        one_write = OneWriteTransport(cast(asyncio.Transport, transport))
        super().connection_made(cast(asyncio.Transport, one_write))


class OneWriteTransport:
    """A transport that keeps the head of a response until the next write, at most until the event loop's
    next turn: a response without a body, or whose body comes later, is not held up."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write the head that was kept with it, or keep it if it is a head."""
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head + data)
        elif data.startswith(_HEAD) and data[9] in _FINAL and data.endswith(b"\r\n\r\n"):
            self._head = data
            asyncio.get_running_loop().call_soon(self._flush)
        else:
            self._transport.write(data)

    def close(self) -> None:
        """Write what was kept, and close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._head:
            self.write(b"")
