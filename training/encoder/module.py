"""The LightningModule: the training step of any encoder with any loss, and its validation."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from configs.settings.encoder import TrainingConfig
from models.encoder import Encoder
from models.losses import full_softmax, gbce, sampled_softmax
from training.encoder.batches import Batch
from training.encoder.negatives import NegativeSampler
from training.encoder.optimizer import build_optimizer, clip_gradients
from training.encoder.target_ranks import metrics_of_ranks
from training.encoder.validation import ValidationBatch, encoder_scores, ranks


class EncoderModule(pl.LightningModule):
    """Connects an encoder, a loss and an optimizer; batches arrive ready to use."""

    def __init__(
        self, encoder: Encoder, *, sampler: NegativeSampler, known_N: Tensor, config: TrainingConfig
    ) -> None:
        super().__init__()
        self.encoder, self.config, self._sampler = encoder, config, sampler
        self.register_buffer("known_N", known_N, persistent=False)
        self.generator = torch.Generator()
        """Samples the negatives. Its state is part of a checkpoint."""
        self._metrics: list[Tensor] = []

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Batches are dataclasses with a `to` of their own."""
        return batch.to(device)

    def on_fit_start(self) -> None:
        """Negatives are sampled on the device, by a separate random number generator."""
        self._sampler.to(self.device)
        self.generator = torch.Generator(self.device).manual_seed(self.config.seed)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor | None:
        """The mean loss over the batch's pairs of state and target. None, which skips the step, if there are
        no pairs.

        For an ensemble, the mean of its members' losses: Adam's steps do not depend on the gradients' scale.
        """
        if not len(batch.targets_P):
            return None
        losses = [
            self._loss(encoder, self._queries(encoder, batch), batch) for encoder in self.encoder.members
        ]
        return torch.stack(losses).mean()

    def _queries(self, encoder: Encoder, batch: Batch) -> Tensor:
        """Query vectors (S, D). Item masking sets random item vectors of the history to 0."""
        vectors_BLD = encoder.item_vectors(batch.items_BL)
        if self.config.item_mask_prob:
            vectors_BLD = vectors_BLD * (torch.rand_like(vectors_BLD[..., :1]) >= self.config.item_mask_prob)
        hidden_BLD = encoder.hidden_states(
            vectors_BLD, batch.event_types_BL, batch.ages_BL, batch.lengths_B, batch.user
        )
        return hidden_BLD.flatten(0, 1)[batch.states_S]

    def _loss(self, encoder: Encoder, query_SD: Tensor, batch: Batch) -> Tensor:
        loss, weights = self.config.loss, batch.pair_weight_P
        if loss == "full_softmax":
            # items without targets before the split point are no negatives: they may be new in the window
            known_M = torch.nonzero(self.known_N).squeeze(1)
            targets_P = torch.searchsorted(known_M, batch.targets_P)
            return full_softmax(
                query_SD, batch.pair_state_P, targets_P, encoder.item_vectors(known_M), pair_weight_P=weights
            )
        in_batch = loss == "in_batch_softmax"
        negatives_K, log_expected_K = (
            self._sampler.in_batch(batch.targets_P) if in_batch else self._sampler.draw(self.generator)
        )
        both_PKD = encoder.item_vectors(torch.cat([batch.targets_P, negatives_K]))
        target_PD, negative_KD = both_PKD[: len(batch.targets_P)], both_PKD[len(batch.targets_P) :]
        pairs = batch.pair_state_P, batch.targets_P, target_PD, negatives_K, negative_KD
        if loss == "gbce":
            num_items, calibration = int(self.known_N.sum()), self.config.gbce_calibration
            return gbce(query_SD, *pairs, num_items=num_items, calibration=calibration, pair_weight_P=weights)
        return sampled_softmax(query_SD, *pairs, log_expected_K, pair_weight_P=weights)

    def on_validation_epoch_start(self) -> None:
        """Compute the item vectors once for all validation batches."""
        self._metrics = []
        self._vectors_ND = self.encoder.item_vectors(torch.arange(len(self.known_N), device=self.device))

    def validation_step(self, batch: ValidationBatch, batch_idx: int) -> None:
        """Capped recall and NDCG at `monitor_k`, among the items with a target before the split point."""
        k, rows = self.config.monitor_k, batch.target_row_P
        scores_BN = encoder_scores(self.encoder, batch, self._vectors_ND)
        rank_P = ranks(scores_BN, batch, can_be_shown_N=self.known_N, depth=k)
        found = metrics_of_ranks(rank_P, rows, num_rows=len(batch.lengths_B), cutoffs=(k,))
        self._metrics.append(torch.stack([found[f"capped_recall_{k}"], found[f"ndcg_{k}"]]))

    def on_validation_epoch_end(self) -> None:
        """Log both metrics. Early stopping watches the one that `monitor` names."""
        recall, ndcg = torch.cat(self._metrics, dim=1).mean(dim=1).tolist()
        self.log("validation_recall", recall)
        self.log("validation_ndcg", ndcg)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW, with sparse updates of the item table for large catalogues."""
        return build_optimizer(self.encoder, self.config)

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Gradient clipping by norm. Lightning's supports neither sparse gradients nor, in bf16, fused
        optimizers."""
        if gradient_clip_val is not None:
            clip_gradients(optimizer, gradient_clip_val)
