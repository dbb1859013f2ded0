"""All settings of Shopkeeper, by section. `load.py` reads them from YAML and `--set key=value`.

Durations are in days unless a name gives another unit. An unknown setting is an error.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from configs.settings.channels import ChannelsConfig
from configs.settings.customers import CustomersConfig
from configs.settings.data import DataConfig, PrepareConfig, SplitConfig
from configs.settings.encoder import EncoderConfig, HistoryConfig, TrainingConfig
from configs.settings.forecasts import ForecastsConfig
from configs.settings.lifecycle import EvaluationConfig, ExportConfig, GateConfig, RefreshConfig
from configs.settings.recommend import DEFAULT_SURFACES, RankerConfig, RetrieversConfig, SurfaceConfig
from configs.settings.returns import ReturnsConfig
from configs.settings.reviews import ReviewsConfig
from configs.settings.section import Section
from configs.settings.services import ServingConfig, TrackingConfig


class Config(Section):
    """All settings of a run: the content of one YAML file."""

    name: str = Field("shop", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Name of runs and bundles: letters, digits, dots and dashes."""

    workspace: Path = Path("shop")
    """The folder of tables, dataset, runs, bundles, event store and MLflow. `--out` sets it."""

    data: DataConfig = DataConfig()
    prepare: PrepareConfig = PrepareConfig()
    split: SplitConfig = SplitConfig()
    history: HistoryConfig = HistoryConfig()
    encoder: EncoderConfig = EncoderConfig()
    training: TrainingConfig = TrainingConfig()
    retrievers: RetrieversConfig = RetrieversConfig()
    ranker: RankerConfig = RankerConfig()
    surfaces: dict[str, SurfaceConfig] = DEFAULT_SURFACES
    """Name → what stands there. A YAML that has this names them all, `home` among them."""

    evaluation: EvaluationConfig = EvaluationConfig()
    export: ExportConfig = ExportConfig()
    gate: GateConfig = GateConfig()
    refresh: RefreshConfig = RefreshConfig()
    forecasts: ForecastsConfig = ForecastsConfig()
    customers: CustomersConfig = CustomersConfig()
    channels: ChannelsConfig = ChannelsConfig()
    returns: ReturnsConfig = ReturnsConfig()
    serving: ServingConfig = ServingConfig()
    tracking: TrackingConfig = TrackingConfig()
    reviews: ReviewsConfig = ReviewsConfig()
