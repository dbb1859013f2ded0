"""Settings of what runs beside: the live server and MLflow."""

from __future__ import annotations

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

    user_state_mb: float = Field(128, ge=0)
    """Megabytes of each replica for what is known of users without the request (profile, query vector, ranked
    candidates), kept until an event of theirs arrives. 0: nothing is kept."""

    user_state_seconds: float = Field(300, ge=0)
    """How long such a state is kept at most: ages in it stand still meanwhile."""


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
