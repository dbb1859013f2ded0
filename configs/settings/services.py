"""Settings of what runs beside: the live server and MLflow."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from configs.settings.section import Section


class ServingConfig(Section):
    """The live server."""

    host: str = "127.0.0.1"
    """Address that it listens on. Default: this machine only, because the server has no authentication."""

    port: int = Field(8000, ge=1, le=65535)
    """Port of the API and the shop page."""

    num_replicas: int = Field(1, ge=1)
    """Number of server processes (Ray Serve replicas)."""

    max_body_bytes: int = Field(1_000_000, ge=1_000)
    """Larger request bodies are refused. Besides, a request has at most 500 events, which is fixed."""

    max_events_kept: int = Field(5_000, ge=10)
    """Number of a user's latest events that a request reads, of items that the bundle knows.
    (`GET /v1/users/{user_id}` shows 50 events, or as many as its `limit`.)"""

    log_file: Path | None = None
    """The server's log, a JSON object a line. Default: `logs/serve.jsonl` in the workspace."""

    log_user_ids: bool = False
    """True: paths and messages of unexpected errors, which may have ids of users, stand in the log."""

    slow_request_ms: float = Field(500.0, gt=0)
    """Requests that take longer are logged, at most one a second."""


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

    port: int = Field(5000, ge=1, le=65535)
    """Port of the MLflow pages of `shopkeeper demo`."""
