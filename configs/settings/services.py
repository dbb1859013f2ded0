"""Settings of what runs beside: the live server and MLflow."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from configs.settings.section import Section


def _network(text: str) -> str:
    """An address is the network of itself alone."""
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise ValueError(f"{error}: write an address (10.0.0.7) or a network (10.0.0.0/24)") from None


REDIS_PASSWORD: Final = "SHOPKEEPER_REDIS_PASSWORD"
"""Environment variable with the password of the Redis server of `serving.store`."""


def _store_url(text: str) -> str:
    """`redis://host:port/db`; a password is refused: settings are copied into runs and to MLflow."""
    form = "is no URL of a Redis server: write redis://host:6379/0 (rediss:// with TLS)"
    try:
        url = urlsplit(text)
        port, database = url.port, url.path.removeprefix("/")
    except ValueError:
        raise ValueError(f"{form}; the port is no number") from None
    if url.password is not None:
        raise ValueError(
            "has a password, and settings are copied into runs: leave it out of the URL and set the "
            f"environment variable {REDIS_PASSWORD}"
        )
    if url.scheme not in ("redis", "rediss") or not url.hostname or url.query or url.fragment:
        raise ValueError(form)
    if port == 0 or (database and not database.isdecimal()):
        raise ValueError(f"{form}; after the host come a port and the number of a database")
    return text


StoreUrl = Annotated[str, AfterValidator(_store_url)]
Network = Annotated[str, AfterValidator(_network)]
HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")]
"""Without scheme and port."""
Origin = Annotated[str, Field(pattern=r"^https?://[a-z0-9._-]+(:[0-9]+)?$")]
"""As browsers send it: in lower case, without a slash at the end."""


class ServingConfig(Section):
    """The live server."""

    host: str = "127.0.0.1"
    """Address that it listens on. Default: this machine only. An address that other machines reach needs API
    keys (`shopkeeper keys create`), and TLS before it."""

    port: int = Field(8000, ge=1, le=65535)
    """Port of the API and the shop page."""

    num_replicas: int | None = Field(None, ge=1)
    """Number of server processes (Ray Serve replicas). Default: one for each core, at most four."""

    max_body_bytes: int = Field(1_000_000, ge=1_000)
    """Larger request bodies are refused. Besides, a request has at most 500 events, which is fixed."""

    body_timeout_s: float = Field(10, gt=0, allow_inf_nan=False)
    """Seconds in which the body of a request must arrive. After them it is refused (408)."""

    max_wait_ms: float = Field(200, gt=0, allow_inf_nan=False)
    """Longest that a request may wait for its turn in a replica. One that would wait longer, by the length of
    the queue and the recent speed, is refused at once (503 with `Retry-After`)."""

    allowed_hosts: tuple[HostName, ...] = ()
    """Host names that a proxy on this machine passes on in the `Host` header, such as reco.myshop.com. The
    names of loopback and `serving.host` are always allowed, and where there are API keys, any name is."""

    cors_origins: tuple[Origin, ...] = ()
    """Origins whose pages may call the API from a browser (CORS), such as https://www.myshop.com. Default:
    only the server's own pages."""

    public_columns: tuple[str, ...] = (
        "id", "title", "product_type", "brand", "price", "sale_price", "currency", "availability", "link",
        "image_link",
    )  # fmt: skip
    """Columns of the catalogue, of those that it has, that a public key may name in `return_fields` and
    `filter`. Reasons name items by their titles in any case."""

    public_requests_per_s: float | None = Field(None, gt=0, allow_inf_nan=False)
    """Requests a second that each public key may send, over all pages that have it; above them the answer is
    429 with `Retry-After`. A replica counts for itself and lets its share through: this number divided by the
    number of replicas, and at least one request at once. Default: no limit."""

    private_requests_per_s: float | None = Field(None, gt=0, allow_inf_nan=False)
    """The same for each private key."""

    token_secret_file: Path | None = None
    """A file with the secret of user tokens, at least 32 bytes. Default: the environment variable
    `SHOPKEEPER_TOKEN_SECRET`, which goes before this too, else the workspace's own (`shopkeeper keys
    secret`)."""

    trusted_proxies: tuple[Network, ...] = ()
    """Addresses or networks of proxies whose `X-Forwarded-For` header is believed: the caller is then the one
    that they name, and on another machine it is refused. Default: no header is believed, and whoever
    connects is the caller. Where there are API keys, a key counts wherever it comes from."""

    max_events_kept: int = Field(5_000, ge=10)
    """Number of a user's latest events that a request reads, of items that the bundle knows.
    (`GET /v1/users/{user_id}` shows 50 events, or as many as its `limit`.)"""

    max_new_items: int = Field(10_000, ge=0)
    """Number of items that can be added while a bundle is served. With the first one, each replica keeps a
    copy of its own of the item tables (0.3 GB for 100,000 items)."""

    user_state_mb: float = Field(128, ge=0)
    """Megabytes of each replica for what is known of users without the request (profile, query vector, ranked
    candidates), kept until an event of theirs arrives. 0: nothing is kept."""

    user_state_seconds: float = Field(300, ge=0)
    """How long such a state is kept at most: ages in it stand still meanwhile."""

    retriever_deadline_ms: float = Field(50, gt=0)
    """A retriever that takes longer for a user is left out of lists for ten seconds; they are full without
    it."""

    store: StoreUrl | None = None
    """Where events, items and users are kept that the live server is told of: the URL of a Redis server, such
    as redis://10.0.0.5:6379/0, whose password is in the environment variable SHOPKEEPER_REDIS_PASSWORD.
    Default: `events.db` (SQLite) in the workspace, which is right for one machine."""

    redis_prefix: str | None = Field(None, pattern=r"^[A-Za-z0-9_.:-]{1,64}$")
    """What the names of all keys in Redis begin with. Default: the shop's `name`."""

    redis_allow_loss: bool = False
    """True: a Redis server that can lose what it acknowledged (other than `appendonly yes` with `appendfsync
    always`) is used, with a warning that says what can be lost. Default: it is refused."""

    keep_events_days: int | None = Field(None, ge=1)
    """Days for which the live server keeps events. Older ones that an export or a refresh has read from the
    store are deleted, little by little, at the start and then once a day (`shopkeeper events trim`). Default:
    all are kept."""

    log_file: Path | None = None
    """The server's log, a JSON object a line. Default: `logs/serve.jsonl` in the workspace."""

    log_user_ids: bool = False
    """True: paths and messages of unexpected errors, which may have ids of users, stand in the log."""

    slow_request_ms: float = Field(500.0, gt=0)
    """Requests that take longer are logged, at most one a second."""

    @property
    def replicas(self) -> int:
        """`num_replicas`, or its default on this machine."""
        # those that this process may use, where the system says so: a container may have fewer
        ours = getattr(os, "sched_getaffinity", None)
        cores = len(ours(0)) if ours else os.cpu_count() or 1
        return self.num_replicas or min(cores, 4)


class TrackingConfig(Section):
    """Where runs and models are tracked (MLflow)."""

    enabled: bool = True
    """False: runs are only kept in their folders."""

    uri: str | None = None
    """An MLflow tracking URI. Default: `mlflow.db` (SQLite) and `mlartifacts/` in the workspace."""

    experiment: str = "shopkeeper"
    """Name of the MLflow experiment."""

    model_name: str = "shopkeeper"
    """Name of the registered model; its alias `champion` is the bundle to serve."""

    follow_alias_s: float = Field(10, ge=0, allow_inf_nan=False)
    """Seconds between two looks of `serve` at where the alias is: one that somebody moved in MLflow makes
    that bundle the champion. 0: it does not look."""

    port: int = Field(5000, ge=1, le=65535)
    """Port of the MLflow pages of `shopkeeper demo`."""
