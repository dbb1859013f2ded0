"""What `serve` does beside its server: it follows MLflow's alias, where MLflow is installed."""

from __future__ import annotations

import threading

from configs.schema import Config
from serving.deploy.server import Server
from serving.recommend.served_bundle import read_pointer
from training.tracking.alias_follower import AliasFollower


def follow_alias(config: Config, server: Server) -> None:
    """Follow it in a thread of this process, which answers no requests, until the process ends."""
    follower = AliasFollower(config, report=server.note_refused_alias)
    threading.Thread(target=follower.run, args=(threading.Event(),), daemon=True).start()


def first_champion(config: Config) -> None:
    """Where the workspace has no champion yet and an MLflow of its own is named: take the one with the alias.

    Where that fails it is logged, and the server's own message follows.
    """
    if config.tracking.uri is not None and read_pointer(config.workspace) is None:
        config.workspace.mkdir(parents=True, exist_ok=True)
        AliasFollower(config).try_to_look()
