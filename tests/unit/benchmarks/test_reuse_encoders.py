from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.reuse_encoders import finished_run, run_with_encoders_of
from configs.exceptions import ArtefactError
from configs.load import dump_config
from configs.schema import Config
from features.core.artefact import read_manifest
from training.runs.record import FitSummary
from training.runs.run import Run

FIT = FitSummary(epochs=3, seconds=2.5, training_seconds=2.0, interactions_per_second=1000)


@pytest.fixture
def config(prepared_shop: Path, shop_config: Config, tmp_path: Path) -> Config:
    """A workspace of its own over the small shop's dataset, with one finished run."""
    (tmp_path / "dataset").symlink_to(prepared_shop / "dataset")
    config = shop_config.model_copy(update={"workspace": tmp_path})
    run = Run.create(tmp_path / "runs", name=config.name)
    (run.folder / "encoder-test.pt").write_bytes(b"weights")
    (run.folder / "config.yaml").write_text(dump_config(config), encoding="utf-8")
    data = read_manifest(tmp_path / "dataset", kind="dataset")["fingerprint"]
    run.update(status="finished", dataset=data, commit="then", fits={"test": FIT})
    return config


def test_a_new_run_has_the_encoders_of_the_other_and_records_their_commit(config: Config) -> None:
    other = config.model_copy(update={"ranker": config.ranker.model_copy(update={"hidden_dim": 3})})
    new = run_with_encoders_of(finished_run(other), other)
    assert (new.folder / "encoder-test.pt").read_bytes() == b"weights"
    assert "hidden_dim: 3" in (new.folder / "config.yaml").read_text(encoding="utf-8")
    record = new.read()
    assert (record.encoders_trained_at, record.status, record.fits) == ("then", "finished", {"test": FIT})
    assert record.commit != "then"


def test_encoders_with_other_settings_are_not_reused(config: Config) -> None:
    wider = config.model_copy(update={"encoder": config.encoder.model_copy(update={"dim": 32})})
    with pytest.raises(ArtefactError, match="no finished run called tiny"):
        finished_run(wider)
