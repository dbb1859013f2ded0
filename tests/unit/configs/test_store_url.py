"""`serving.store`: what is no URL of a Redis server is refused, and a password is not printed."""

from __future__ import annotations

import pytest

from configs.exceptions import ConfigError
from configs.load import load_config


@pytest.mark.parametrize(
    "url", ["redis://10.0.0.5", "redis://user@cache.shop.com:6380/2", "rediss://cache/0"]
)
def test_urls_of_redis_servers(url: str) -> None:
    assert load_config(overrides=[f"serving.store={url}"]).serving.store == url


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("events.db", r"write redis://host:6379/0"),
        ("postgres://host/0", r"write redis://host:6379/0"),
        ("redis://", r"write redis://host:6379/0"),
        ("redis://host/0?protocol=3", r"write redis://host:6379/0"),
        ("redis://host:port/0", r"the port is no number"),
        ("redis://host:6379/shop", r"the number of a database"),
    ],
)
def test_what_is_none_is_refused_with_the_form(url: str, says: str) -> None:
    with pytest.raises(ConfigError, match=rf"serving\.store.*{says}"):
        load_config(overrides=[f"serving.store={url}"])


def test_a_password_belongs_into_the_environment() -> None:
    """The settings of a run are kept in its folder and in MLflow."""
    with pytest.raises(ConfigError, match="SHOPKEEPER_REDIS_PASSWORD") as caught:
        load_config(overrides=["serving.store=redis://:hunter2@host/0"])
    assert "hunter2" not in str(caught.value)
