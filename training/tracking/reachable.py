"""Whether a tracking store answers, found out within seconds. MLflow itself tries for minutes."""

from __future__ import annotations

import contextlib
import socket
import sqlite3
import ssl
from http.client import HTTPException
from pathlib import Path
from typing import Final
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import urlopen

ANSWER_SECONDS: Final = 4.0
"""How long a server may take to answer."""
_DATABASE_PORTS: Final = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}


def require_reachable(uri: str) -> None:
    """Raise OSError or sqlite3.Error where the store of a tracking URI does not answer.

    A folder, and a name such as `databricks`, are not asked.
    """
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return  # MLflow says what is wrong with it
    scheme = parts.scheme.partition("+")[0]
    if scheme in ("http", "https"):
        _request(parts)
    elif scheme in _DATABASE_PORTS and parts.hostname:
        place = (parts.hostname, port or _DATABASE_PORTS[scheme])
        socket.create_connection(place, timeout=ANSWER_SECONDS).close()
    elif (file := sqlite_file(uri)) is not None:
        _require_writable(file)


def is_database(uri: str) -> bool:
    """Whether MLflow itself opens a database at this URI, so that no server says where artefacts go."""
    scheme = uri.partition(":")[0].partition("+")[0]
    return scheme == "sqlite" or scheme in _DATABASE_PORTS


def sqlite_file(uri: str) -> Path | None:
    """The file of a SQLite URI; None for another URI, and for a database in memory."""
    scheme, separator, rest = uri.partition(":///")
    name = unquote(rest.partition("?")[0])
    is_file = separator and scheme.partition("+")[0] == "sqlite" and name not in ("", ":memory:")
    return Path(name) if is_file else None


def _request(parts: SplitResult) -> None:
    """One short request. Any answer will do, that of a proxy or of a login page too."""
    place = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
    try:
        urlopen(f"{place.rstrip('/')}/health", timeout=ANSWER_SECONDS).close()
    except (HTTPError, HTTPException, ValueError):
        return
    except URLError as error:
        if not isinstance(error.reason, ssl.SSLError):  # MLflow has settings of its own for certificates
            raise ConnectionError(_reason(error.reason)) from None
    except OSError as error:
        raise ConnectionError(_reason(error)) from None


def _reason(error: object) -> str:
    return f"no answer within {ANSWER_SECONDS:g} s" if isinstance(error, TimeoutError) else str(error)


def _require_writable(path: Path) -> None:
    """Raise an error where a SQLite file cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
