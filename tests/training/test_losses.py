"""Losses against known answers and slow references."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from cleanplate.training import losses
from cleanplate.training.disparity_normalisation import normalisation
from cleanplate.training.networks.contract import Prediction


def plane(values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32).reshape(1, 1, *np.shape(values))


def random_batch(seed: int = 0, count: int = 2, size: tuple[int, int] = (24, 32)):
    generator = torch.Generator().manual_seed(seed)

    def draw() -> torch.Tensor:
        return torch.rand(count, 1, *size, generator=generator)

    ones = torch.ones(count, 1, *size)
    plate, subject, alpha = draw() * 3 - 1, draw() * 3, draw()
    return {
        "alpha": alpha,
        "shadow": draw() * 0.9 + 0.1,
        "plate_disparity": plate,
        "plate_valid": ones.clone(),
        "subject_disparity": subject,
        "subject_valid": ones.clone(),
        "disparity": torch.where(alpha >= 0.5, subject, plate),
        "valid": ones.clone(),
        "depth_given": torch.ones(count),
    }


def perfect(batch) -> Prediction:
    return Prediction(
        alpha=batch["alpha"],
        disparity=batch["disparity"],
        plate_disparity=batch["plate_disparity"],
        subject_disparity=batch["subject_disparity"],
        shadow=batch["shadow"],
    )


def test_alpha_l1_is_the_mean_absolute_difference():
    assert losses.alpha_l1(plane([[0.0, 1.0]]), plane([[0.25, 0.5]])).item() == pytest.approx(0.375)


def test_laplacian_of_a_constant_difference_is_zero():
    assert losses.laplacian_l1(torch.full((1, 1, 32, 32), 0.7), torch.zeros(1, 1, 32, 32)) < 1e-6


def test_laplacian_bands_and_rest_rebuild_the_picture():
    picture = torch.rand(1, 1, 33, 48, generator=torch.Generator().manual_seed(1))
    bands = losses.laplacian_pyramid(picture, 3)
    current = picture
    sizes = []
    for _ in bands:
        sizes.append(current.shape[-2:])
        current = losses._blur(current)[..., ::2, ::2]
    for band in reversed(bands):
        up = torch.nn.functional.interpolate(current, size=band.shape[-2:], mode="bilinear")
        current = up + band
    assert torch.allclose(current, picture, atol=1e-6)
    assert [band.shape[-2:] for band in bands] == sizes


def test_laplacian_of_two_mattes_is_the_sum_over_their_bands():
    first, second = torch.rand(2, 1, 1, 40, 40, generator=torch.Generator().manual_seed(2))
    pairs = zip(
        losses.laplacian_pyramid(first, 4), losses.laplacian_pyramid(second, 4), strict=True
    )
    slow = sum(2**level * (a - b).abs().mean() for level, (a, b) in enumerate(pairs)) / 4
    assert losses.laplacian_l1(first, second, 4).item() == pytest.approx(slow.item(), rel=1e-4)


def test_empty_pair_loss_counts_only_pictures_without_a_subject():
    truth = torch.zeros(2, 1, 4, 4)
    truth[1, 0, 0, 0] = 0.5
    alpha = torch.stack([torch.full((1, 4, 4), 0.25), torch.ones(1, 4, 4)])
    assert losses.empty_pair_loss(alpha, truth).item() == pytest.approx(0.25)
    assert losses.empty_pair_loss(alpha[1:], truth[1:]).item() == 0.0


def test_shadow_of_half_the_light_against_none_is_log_two():
    shadow, truth = torch.full((1, 1, 3, 3), 0.5), torch.ones(1, 1, 3, 3)
    loss = losses.shadow_log_l1(shadow, truth, torch.ones(1, 1, 3, 3))
    assert loss.item() == pytest.approx(math.log(2), rel=1e-5)


def test_normalisation_is_median_and_mean_deviation_of_what_is_known():
    disparity = plane([[1.0, 2.0, 3.0, 4.0, 100.0]])
    valid = plane([[1.0, 1.0, 1.0, 0.0, 1.0]])
    median, spread = normalisation(disparity, valid)
    assert median.item() == 2.5  # half way between 2 and 3
    assert spread.item() == pytest.approx((1.5 + 0.5 + 0.5 + 97.5) / 4)
    median, spread = normalisation(disparity, torch.zeros_like(valid))
    assert (median.item(), spread.item()) == (0.0, 1.0)


def test_gradient_of_a_ramp_is_its_step_at_each_scale():
    ramp = torch.arange(16.0).expand(1, 1, 16, 16)
    # Along columns 1, 2, 4 and 8 a step, along rows nothing; averaged over four scales.
    assert losses.gradient_l1(ramp, torch.ones_like(ramp)).item() == pytest.approx(15 / 4)


def test_gradient_ignores_steps_to_unknown_pixels():
    difference = plane([[0.0, 0.0], [0.0, 9.0]])
    valid = plane([[1.0, 1.0], [1.0, 0.0]])
    assert losses.gradient_l1(difference, valid, scales=1).item() == 0.0


@pytest.mark.parametrize("given", [0.0, 1.0])
def test_a_perfect_prediction_costs_nothing(given):
    batch = random_batch()
    batch["depth_given"] = torch.full((2,), given)
    median, spread = normalisation(batch["plate_disparity"], batch["plate_valid"])
    for name in ("plate_disparity", "subject_disparity", "disparity"):
        batch[name] = (batch[name] - median) / spread
    parts = losses.matte_losses(perfect(batch), batch)
    assert all(part.item() == pytest.approx(0.0, abs=1e-5) for part in parts.values()), parts


def test_without_depth_scale_and_shift_are_free_and_carry_the_subject():
    batch = random_batch(3)
    batch["depth_given"] = torch.zeros(2)
    truth = perfect(batch)
    scaled = truth._replace(
        plate_disparity=truth.plate_disparity * 3 + 2,
        subject_disparity=truth.subject_disparity * 3 + 2,
    )
    parts = losses.matte_losses(scaled, batch)
    assert parts["gradient"].item() == pytest.approx(0.0, abs=1e-5)
    assert parts["subject_disparity"].item() == pytest.approx(0.0, abs=1e-5)
    misplaced = scaled._replace(subject_disparity=truth.subject_disparity)
    assert losses.matte_losses(misplaced, batch)["subject_disparity"].item() > 0.5
    batch["depth_given"] = torch.ones(2)
    assert losses.matte_losses(scaled, batch)["subject_disparity"].item() > 0.5


def test_a_plate_without_depth_teaches_alpha_and_shadow_only():
    batch = random_batch(4)
    for name in ("plate_valid", "subject_valid", "valid"):
        batch[name] = torch.zeros_like(batch[name])
    batch["depth_given"] = torch.zeros(2)
    prediction = Prediction(*(torch.rand(2, 1, 24, 32) for _ in range(5)))
    parts = losses.matte_losses(prediction, batch)
    assert parts["alpha"] > 0
    assert parts["shadow"] > 0
    for name in ("plate_disparity", "subject_disparity", "gradient"):
        assert parts[name].item() == 0.0


def test_one_map_for_the_whole_frame_is_scored_up_to_scale_and_shift():
    batch = random_batch(5)
    whole = Prediction(alpha=batch["alpha"], disparity=batch["disparity"] * 0.5 - 4)
    parts = losses.matte_losses(whole, batch)
    assert parts["plate_disparity"].item() == pytest.approx(0.0, abs=1e-5)
    assert "shadow" not in parts


def test_total_is_the_weighted_sum_and_gradients_are_finite():
    batch = random_batch(6)
    values = [torch.rand(2, 1, 24, 32, requires_grad=True) for _ in range(5)]
    weights = losses.LossWeights(alpha=2.0, shadow=0.0)
    parts = losses.MatteLoss(weights)(Prediction(*values), batch)
    expected = sum(getattr(weights, name) * part for name, part in parts.items() if name != "total")
    assert parts["total"].item() == pytest.approx(expected.item(), rel=1e-5)
    parts["total"].backward()
    assert all(torch.isfinite(v.grad).all() for v in values if v.grad is not None)


def test_jaccard_is_one_less_intersection_over_union():
    alpha, truth = plane([[1.0, 0.5, 0.0]]), plane([[1.0, 1.0, 0.0]])
    assert losses.jaccard(alpha, truth).item() == pytest.approx(1 - 1.5 / 2)


def test_jaccard_counts_a_small_subject_as_much_as_a_large_one_and_leaves_empty_ones_out():
    small, large, empty = torch.zeros(3, 1, 8, 8)
    small[0, 0, 0], large[0] = 1.0, 1.0
    truth = torch.stack([small, large, empty])
    alpha = torch.stack([small * 0.5, large * 0.5, empty + 0.3])
    assert losses.jaccard(alpha, truth).item() == pytest.approx(0.5)


def test_the_plate_depth_loss_does_not_see_scale_and_shift():
    batch = random_batch()
    truth = Prediction(plate_disparity=batch["plate_disparity"])
    scaled = Prediction(plate_disparity=3 * batch["plate_disparity"] + 2)
    none, some = (losses.plate_depth_losses(p, batch) for p in (truth, scaled))
    assert none["plate_disparity"] < 1e-6
    assert some["gradient"] < 1e-5
    # What is left is the light term that holds the scale: 0.1 * mean |2 d + 2|.
    held = 0.1 * (2 * batch["plate_disparity"] + 2).abs().mean()
    assert some["plate_disparity"].item() == pytest.approx(held.item(), rel=1e-3)
