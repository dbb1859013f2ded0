"""A tracking URI as others may see it."""

from __future__ import annotations

import pytest

from training.tracking.tracked_settings import without_login

URI = "https://ann:s3cret@tracking.example:5000/mlflow"


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        (URI, "https://tracking.example:5000/mlflow"),
        ("https://ann:s3@cret@host", "https://host"),
        ("https://s3cret@host", "https://host"),
        ("postgresql://ann:s3/cret@host/db?sslmode=require&password=s3cret", "postgresql://host/db"),
        ("postgresql://ann:s3?cret@host/db", "postgresql://…"),
        ("https://host/mlflow", "https://host/mlflow"),
        ("sqlite:////home/me@work/mlflow.db", "sqlite:////home/me@work/mlflow.db"),
        ("databricks", "databricks"),
    ],
)
def test_a_uri_without_its_login(uri: str, said: str) -> None:
    assert without_login(uri) == said
