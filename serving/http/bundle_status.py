"""What became of the bundles that a server process was told to serve, for `/readyz` and `/metrics`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from serving.recommend.bundle import Bundle


@dataclass
class BundleStatus:
    """Written by what follows the champion."""

    fallback_reason: str | None = None
    """Why another bundle was loaded at the start than the wanted one"""
    refused: str | None = None
    """What is wrong with the present champion; None where it is served"""
    refused_alias: str | None = None
    """Why the bundle with MLflow's alias did not become the champion"""
    num_swaps: int = 0
    swap_seconds: float = 0.0
    """From the moment when the last new bundle was read until it answered"""

    @property
    def refused_bundle(self) -> str | None:
        """What is wrong with the bundle that should answer; None where it does."""
        return self.refused or self.refused_alias


class BundleCollector(Collector):
    """The metrics of the bundle, as they are at each scrape."""

    def __init__(self, present: Callable[[], Bundle], status: BundleStatus) -> None:
        self._present, self._status = present, status

    def collect(self) -> Iterator[Metric]:
        """See `prometheus_client.registry.Collector`."""
        bundle = self._present()
        info = GaugeMetricFamily(
            "shopkeeper_bundle_info", "The bundle that answers.", labels=["name", "version"]
        )
        info.add_metric([bundle.name, bundle.version], 1)
        yield info
        yield CounterMetricFamily(
            "shopkeeper_bundle_swaps", "Bundles that took another's place.", value=self._status.num_swaps
        )
        yield GaugeMetricFamily(
            "shopkeeper_bundle_swap_seconds",
            "How long reading, verifying and warming the last of them took.",
            value=self._status.swap_seconds,
        )
        yield GaugeMetricFamily(
            "shopkeeper_bundle_refused",
            "1 where the bundle that should answer cannot, 0 where it does.",
            value=float(self._status.refused_bundle is not None),
        )
        if bundle.trained_inputs is not None:
            yield from _trained(bundle.trained_inputs)


def _trained(inputs: Mapping[str, Any]) -> Iterator[Metric]:
    """What the live inputs of the encoder are compared with."""
    yield GaugeMetricFamily(
        "shopkeeper_encoder_inputs_trained",
        "Events of a user that the encoder was trained with, on average.",
        value=inputs["mean_events"],
    )
    shares = GaugeMetricFamily(
        "shopkeeper_encoder_input_share_trained",
        "Share of an event type among the events that the encoder was trained with.",
        labels=["event_type"],
    )
    for name, share in inputs["event_types"].items():
        shares.add_metric([name], share)
    yield shares
