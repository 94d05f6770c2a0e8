"""PairModule: network, loss, optimiser and weight average as a LightningModule."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel

from cleanplate.errors import CleanplateError
from cleanplate.training.checkpoint import weights_of
from cleanplate.training.cross_entropy import CrossEntropyLoss
from cleanplate.training.data.batch import Batch, relative
from cleanplate.training.data.sample_schedule import samples_seen
from cleanplate.training.losses import MatteLoss, Objective, PlateDepthLoss, masked_mean
from cleanplate.training.networks import NetworkRecipe, Prediction, build_network
from cleanplate.training.recipe_json import to_json
from cleanplate.training.recipes import Recipe


def _objective(recipe: Recipe) -> Objective:
    if recipe.objective == "cross-entropy":
        return CrossEntropyLoss()
    return (MatteLoss if recipe.objective == "matte" else PlateDepthLoss)(recipe.loss)


Tensors = tuple[Tensor, ...] | list[Tensor]


class PairModule(LightningModule):
    """A network, its loss, its optimiser and the moving average of its weights.

    Random numbers are used for the initial weights only, so a resumed run computes the same as
    one that was not interrupted.

    Args:
        recipe: of the run.
    """

    def __init__(self, recipe: Recipe, objective: Objective | None = None):
        super().__init__()
        self.recipe = recipe
        self.earlier_samples = 0
        torch.manual_seed(recipe.seed)
        self.network = build_network(recipe.network)
        if recipe.channels_last:
            self.network = self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average: AveragedModel | None = None
        if recipe.ema_decay > 0:
            self.average = AveragedModel(
                self.network, multi_avg_fn=_moving_average(recipe.ema_decay), use_buffers=True
            ).requires_grad_(False)
        self.objective = objective or _objective(recipe)
        # In a tuple, so that it is neither trained nor saved with this module.
        self._teacher: tuple[nn.Module, ...] = ()

    @property
    def inference_network(self) -> nn.Module:
        """The network for validation and export: the averaged one, or without average the last."""
        return self.network if self.average is None else self.average.module

    def _networks(self) -> list[nn.Module]:
        return [self.network] if self.average is None else [self.network, self.average.module]

    def load_pretrained(self, path: Path, checkpoint: dict[str, Any]) -> None:
        """Load the averaged weights of another run's checkpoint into network and average.

        Args:
            path: of the checkpoint, for errors.
            checkpoint: its content, see `read_checkpoint`.

        Raises:
            CleanplateError: if the weights are of another network.
        """
        weights = weights_of(checkpoint)
        self.earlier_samples = int(checkpoint.get("samples", 0))
        try:
            for network in self._networks():
                network.load_state_dict(weights)
        except RuntimeError as error:
            raise CleanplateError(
                "these are weights of another network",
                file=path,
                cure="Give the --network fields that the checkpoint was trained with.",
            ) from error

    def load_teacher(self, checkpoint: dict[str, Any], *, copy: bool) -> None:
        """Learn from the network of another run's checkpoint, too.

        Args:
            checkpoint: its content, see `read_checkpoint`.
            copy: start with those of its weights that have the same name and shape.
        """
        weights = weights_of(checkpoint)
        recipe = NetworkRecipe(**{**checkpoint["recipe"]["network"], "pretrained": False})
        teacher = build_network(recipe)
        teacher.load_state_dict(weights)
        self._teacher = (teacher.eval().requires_grad_(False),)
        if copy:
            networks = (
                [self.network] if self.average is None else [self.network, self.average.module]
            )
            for network in networks:
                own = network.state_dict()
                shared = {
                    name: value
                    for name, value in weights.items()
                    if name in own and own[name].shape == value.shape
                }
                network.load_state_dict(own | shared)

    def predict_relative(self, batch: Batch, network: nn.Module | None = None) -> Prediction:
        """Predict a batch in relative disparity; outputs in float32.

        Args:
            batch: from `cleanplate.training.data.batch.relative`.
            network: to use instead of `self.network`.
        """
        given = batch.depth_given.view(-1, 1, 1, 1)
        inputs = [batch.plate, batch.frame]
        if self.recipe.channels_last:
            inputs = [i.contiguous(memory_format=torch.channels_last) for i in inputs]
        prediction = (network or self.network)(
            *inputs, batch.plate_disparity * given, batch.plate_valid * given
        )
        return _each(prediction, Tensor.float)

    def losses(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        """Compute each term of the loss and their weighted sum as `total`, in float32."""
        with torch.autocast(self.device.type, enabled=False):
            return self.objective(prediction, batch._asdict())

    def training_step(self, batch: Batch, _: int) -> dict[str, Any]:
        """Compute one step's loss; prediction and batch are returned for the callbacks.

        Raises:
            CleanplateError: if the loss is not finite.
        """
        batch = relative(batch)
        prediction = self.predict_relative(batch)
        parts = self.losses(prediction, batch)
        for teacher in self._teacher:
            with torch.no_grad():
                answer = self.predict_relative(batch, teacher.to(self.device))
            parts["teacher"] = _difference(prediction, answer)
            parts["total"] = parts["total"] + self.recipe.loss.teacher * parts["teacher"]
        total = parts["total"]
        if not torch.isfinite(total):
            raise CleanplateError(
                f"the loss became {float(total.detach())} at step {self.global_step}",
                cure="continue from the last checkpoint with a lower --learning-rate or --clip, "
                "in a new run folder, or with --precision 32-true",
            )
        self.log_dict({f"train/{name}": part.detach() for name, part in parts.items()})
        return {"loss": total, "prediction": _each(prediction, Tensor.detach), "batch": batch}

    def optimizer_step(self, *arguments: Any, **named: Any) -> None:
        """Take the optimiser's step, then update the averaged weights.

        Not in `on_train_batch_end`: a checkpoint that is saved there must hold both.
        """
        super().optimizer_step(*arguments, **named)
        if self.average is not None:
            self.average.update_parameters(self.network)

    def validation_step(self, batch: Batch, _: int) -> None:
        """Log losses and errors of the averaged weights as `val/`, of the last as `val-raw/`."""
        batch = relative(batch)
        networks = {"val": self.inference_network}
        if self.average is not None:
            networks["val-raw"] = self.network
        for name, network in networks.items():
            prediction = self.predict_relative(batch, network)
            values = {**self.losses(prediction, batch), **_errors(prediction, batch)}
            self.log_dict(
                {f"{name}/{key}": value for key, value in values.items()},
                batch_size=len(batch.index),
                sync_dist=True,
            )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add recipe, number of samples and date, so that the checkpoint alone can be exported."""
        checkpoint["recipe"] = to_json(self.recipe)
        seen = samples_seen(self.recipe, self.global_step)
        checkpoint["samples"] = self.earlier_samples + seen
        checkpoint["earlier_samples"] = self.earlier_samples
        checkpoint["saved_at"] = datetime.now(UTC).isoformat(timespec="seconds")

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the number of samples that earlier runs used."""
        self.earlier_samples = int(checkpoint.get("earlier_samples", 0))

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Make AdamW without weight decay on biases and norms; linear warm-up, then cosine.

        Loshchilov & Hutter 2019 (decoupled weight decay), 2017 (cosine).
        """
        parameters = list(self.network.parameters())
        groups: list[dict[str, Any]] = [
            {"params": [p for p in parameters if p.ndim > 1]},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        recipe = self.recipe
        optimiser = torch.optim.AdamW(
            groups, lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        schedule = LambdaLR(optimiser, lambda step: learning_rate_factor(recipe, step))
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": schedule, "interval": "step", "name": "learning-rate"},
        }


def learning_rate_factor(recipe: Recipe, step: int) -> float:
    """Compute the factor on `recipe.learning_rate` for a step (0 = the first), in (0, 1]."""
    if step < recipe.warm_up:
        return (step + 1) / recipe.warm_up
    done = (step - recipe.warm_up) / max(1, recipe.steps - recipe.warm_up)
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
    return recipe.final_rate + (1 - recipe.final_rate) * cosine


def _moving_average(
    decay: float,
) -> Callable[[Tensors, Tensors, Tensor | int], None]:
    """Make the update of an exponential moving average with a warm-up of its decay.

    decay_t = min(decay, (1 + t) / (10 + t)), as TensorFlow's ExponentialMovingAverage: early
    weights lose their influence sooner than with a fixed decay.
    """

    @torch.no_grad()
    def update(averages: Tensors, current: Tensors, count: Tensor | int) -> None:
        steps = float(count)
        weight = 1 - min(decay, (1 + steps) / (10 + steps))
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, current, weight)
        else:
            for average, value in zip(averages, current, strict=True):
                average.copy_(value)

    return update


def _each(prediction: Prediction, change: Callable[[Tensor], Tensor]) -> Prediction:
    parts: dict[str, Any] = {
        name: None if part is None else change(part) for name, part in prediction._asdict().items()
    }
    return Prediction(**parts)


def _difference(prediction: Prediction, answer: Prediction) -> Tensor:
    """Mean absolute difference of alpha and shadow."""
    assert prediction.alpha is not None
    assert answer.alpha is not None
    difference = (prediction.alpha - answer.alpha).abs().mean()
    if prediction.shadow is not None and answer.shadow is not None:
        difference = difference + (prediction.shadow - answer.shadow).abs().mean()
    return difference


def _errors(prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
    """Compute simple errors for the log; `cleanplate evaluate` computes the published metrics."""
    errors: dict[str, Tensor] = {}
    if prediction.alpha is not None:
        alpha = prediction.alpha.clamp(0, 1)
        both = ((alpha >= 0.5) & (batch.alpha >= 0.5)).sum()
        either = ((alpha >= 0.5) | (batch.alpha >= 0.5)).sum()
        errors["alpha-mad"] = (alpha - batch.alpha).abs().mean()
        errors["alpha-iou"] = both / either.clamp_min(1)
    if prediction.disparity is not None:
        difference = (prediction.disparity - batch.disparity).abs()
        given = batch.depth_given.view(-1, 1, 1, 1)
        errors["disparity-given"] = masked_mean(difference, batch.valid * given)
    if prediction.shadow is not None:
        errors["shadow-mad"] = (prediction.shadow - batch.shadow).abs().mean()
    return errors
