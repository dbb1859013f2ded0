"""The LightningModule: one step of any encoder with any loss, and how well it does on the validation
window."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from configs.schema import TrainingConfig
from models.encoder import Encoder
from models.losses import full_softmax, gbce, sampled_softmax
from training.encoder.batches import Batch
from training.encoder.negatives import NegativeSampler
from training.encoder.optimizer import clip_gradients, optimizer_of
from training.encoder.target_ranks import metrics_of_ranks
from training.encoder.validation import ValidationBatch, encoder_scores, ranks


class EncoderModule(pl.LightningModule):
    """Thin: batches come ready, models and losses are elsewhere."""

    def __init__(
        self, encoder: Encoder, *, sampler: NegativeSampler, known_N: Tensor, config: TrainingConfig
    ) -> None:
        super().__init__()
        self.encoder, self.config, self._sampler = encoder, config, sampler
        self.register_buffer("known_N", known_N, persistent=False)
        self.generator = torch.Generator()
        """Draws the negatives; where it stands is part of a checkpoint."""
        self._judged: list[Tensor] = []

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Our batches are plain dataclasses."""
        return batch.to(device)

    def on_fit_start(self) -> None:
        """Negatives are drawn on the device, by a generator of their own."""
        self._sampler.to(self.device)
        self.generator = torch.Generator(self.device).manual_seed(self.config.seed)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor | None:
        """The mean loss over the batch's pairs of state and target; None, and no step, for a batch without
        any.

        Of an ensemble the mean of its members' losses: Adam's steps do not depend on the size of a gradient.
        """
        if not len(batch.targets_P):
            return None
        losses = [
            self._loss(encoder, self._queries(encoder, batch), batch) for encoder in self.encoder.members
        ]
        return torch.stack(losses).mean()

    def _queries(self, encoder: Encoder, batch: Batch) -> Tensor:
        """(S, D), some events hidden."""
        vectors_BLD = encoder.item_vectors(batch.items_BL)
        if self.config.item_mask_prob:
            vectors_BLD = vectors_BLD * (torch.rand_like(vectors_BLD[..., :1]) >= self.config.item_mask_prob)
        states_BLD = encoder.hidden_states(
            vectors_BLD, batch.kinds_BL, batch.ages_BL, batch.lengths_B, batch.user
        )
        return states_BLD.flatten(0, 1)[batch.states_S]

    def _loss(self, encoder: Encoder, query_SD: Tensor, batch: Batch) -> Tensor:
        loss, weights = self.config.loss, batch.pair_weight_P
        if loss == "full_softmax":
            # an item that nobody had before the split point is not pushed away: it may be the next window's
            # novelty
            known_M = torch.nonzero(self.known_N).squeeze(1)
            targets_P = torch.searchsorted(known_M, batch.targets_P)
            return full_softmax(
                query_SD, batch.pair_state_P, targets_P, encoder.item_vectors(known_M), pair_weight_P=weights
            )
        in_batch = loss == "in_batch_softmax"
        negatives_K, log_expected_K = (
            self._sampler.of_batch(batch.targets_P) if in_batch else self._sampler.draw(self.generator)
        )
        both_PKD = encoder.item_vectors(torch.cat([batch.targets_P, negatives_K]))
        target_PD, negative_KD = both_PKD[: len(batch.targets_P)], both_PKD[len(batch.targets_P) :]
        pairs = batch.pair_state_P, batch.targets_P, target_PD, negatives_K, negative_KD
        if loss == "gbce":
            num_items, calibration = int(self.known_N.sum()), self.config.gbce_calibration
            return gbce(query_SD, *pairs, num_items=num_items, calibration=calibration, pair_weight_P=weights)
        return sampled_softmax(query_SD, *pairs, log_expected_K, pair_weight_P=weights)

    def on_validation_epoch_start(self) -> None:
        """Item vectors are the same for all validation batches."""
        self._judged = []
        self._vectors_ND = self.encoder.item_vectors(torch.arange(len(self.known_N), device=self.device))

    def validation_step(self, batch: ValidationBatch, batch_idx: int) -> None:
        """capped recall and NDCG at `monitor_k`, over every item that somebody had before the split point."""
        k, rows = self.config.monitor_k, batch.target_row_P
        scores_BN = encoder_scores(self.encoder, batch, self._vectors_ND)
        rank_P = ranks(scores_BN, batch, can_be_shown_N=self.known_N, depth=k)
        found = metrics_of_ranks(rank_P, rows, num_rows=len(batch.lengths_B), cutoffs=(k,))
        self._judged.append(torch.stack([found[f"capped_recall_{k}"], found[f"ndcg_{k}"]]))

    def on_validation_epoch_end(self) -> None:
        """What early stopping watches is one of them, as `monitor` says."""
        recall, ndcg = torch.cat(self._judged, dim=1).mean(dim=1).tolist()
        self.log("validation_recall", recall)
        self.log("validation_ndcg", ndcg)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW, of a large catalogue by rows."""
        return optimizer_of(self.encoder, self.config)

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """By the norm; Lightning's own clipping takes neither sparse gradients nor, in bf16, a fused
        optimizer."""
        if gradient_clip_val is not None:
            clip_gradients(optimizer, gradient_clip_val)
