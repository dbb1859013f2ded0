"""What a server is started with, as the processes of Ray get it. No Ray in here: the command reads it too."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from configs.schema import Config
from configs.settings.customers import CustomersConfig
from configs.settings.services import ServingConfig
from serving.deploy.json_log import LogSettings
from serving.deploy.public_host import is_public
from serving.recommend.served_bundle import servable_bundles
from serving.state.store_location import StoreLocation, store_location


@dataclass(frozen=True)
class ReplicaSettings:
    """The settings of a replica. Ray sends them to its process."""

    bundle: Path
    """The one of the server's start"""
    followed_workspace: Path | None
    """Whose champion is served, whichever it is by now; None: the bundle stays"""
    run_folder: Path
    workspace: Path
    """Where the API keys are"""
    store: StoreLocation
    serving: ServingConfig
    currency: str | None
    """The shop's currency; None for the one of the bundle."""
    exchange_rates: dict[str, float]
    """Another currency -> what one unit of it is worth in the shop's."""
    exclude: tuple[str, ...]
    """Ids that are no people, see `data.exclude`."""
    log: LogSettings
    customers: CustomersConfig
    """The rules of life stages"""

    def bundles(self) -> list[Path]:
        """The bundle to serve, then those that stand in for it."""
        if self.followed_workspace is None:
            return [self.bundle]
        return servable_bundles(self.followed_workspace, at_start=self.bundle)


@dataclass(frozen=True)
class DeploySettings:
    """The settings of the process that runs Ray."""

    replica: ReplicaSettings
    port: int
    num_replicas: int

    @property
    def public_host(self) -> str | None:
        """The address for other machines; None: they do not reach the server."""
        host = self.replica.serving.host
        return host if is_public(host) else None


def deploy_settings(config: Config, bundle: Path, *, run_folder: Path, is_champion: bool) -> DeploySettings:
    """`is_champion`: the bundle is the workspace's champion, which is then followed; a former one may
    stand in for it."""
    store = store_location(config)
    return DeploySettings(
        replica=ReplicaSettings(
            bundle=bundle.resolve(),
            followed_workspace=config.workspace.resolve() if is_champion else None,
            run_folder=run_folder,
            workspace=config.workspace.resolve(),
            store=store.resolve() if isinstance(store, Path) else store,
            serving=_with_absolute_paths(config.serving),
            currency=config.prepare.currency,
            exchange_rates=dict(config.prepare.exchange_rates),
            exclude=config.data.exclude,
            log=log_settings(config),
            customers=config.customers,
        ),
        port=config.serving.port,
        num_replicas=config.serving.replicas,
    )


def _with_absolute_paths(serving: ServingConfig) -> ServingConfig:
    """Replicas work in another folder than the command."""
    secret = serving.token_secret_file
    return serving if secret is None else serving.model_copy(update={"token_secret_file": secret.resolve()})


def log_settings(config: Config) -> LogSettings:
    """Where the server logs, and what."""
    return LogSettings(
        file=(config.serving.log_file or config.workspace / "logs" / "serve.jsonl").resolve(),
        with_user_ids=config.serving.log_user_ids,
        slow_seconds=config.serving.slow_request_ms / 1000,
    )
