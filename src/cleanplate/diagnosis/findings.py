"""The rules: from figures to what is wrong, in words, with what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cleanplate.diagnosis.measures import FEWEST, Measures


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Args:
        code: short name, stable: "constant", "mean-map", "brightness-copy", "inverted", "drawing",
            "pairing", "input-scaling", "schedule", "not-finite" or "calibration".
        what: what is wrong, in a sentence.
        evidence: the figures that show it.
        cure: what to do.
    """

    code: str
    what: str
    evidence: str
    cure: str

    def __str__(self) -> str:
        return f"{self.code}: {self.what} {self.evidence} {self.cure}"


def find(measures: Measures) -> list[Finding]:
    """Apply all rules; an empty list means that nothing was found wrong."""
    return [
        *_numbers(measures),
        *_drawn(measures),
        *_inputs(measures),
        *_input_pairs(measures),
        *_answers(measures),
        *_schedule(measures),
    ]


def _numbers(m: Measures) -> Iterator[Finding]:
    if m.not_finite:
        yield Finding(
            "not-finite",
            "Predictions hold NaN or infinity.",
            f"{m.not_finite:,} pixels do.",
            "Look for the first step whose loss is not finite; lower the learning rate, clip "
            "gradients, or train in 32 bits.",
        )
    if m.input_not_finite:
        yield Finding(
            "not-finite",
            "Inputs hold NaN or infinity.",
            f"{m.input_not_finite:,} values do.",
            "Replace unknown pixels before the network sees them.",
        )


def _drawn(m: Measures) -> Iterator[Finding]:
    if m.drawn is None or not m.drawn.lost:
        return
    d = m.drawn
    end = (
        f"{100 * d.white:.1f} % of its pixels would be white"
        if d.white >= d.black
        else f"{100 * d.black:.1f} % of its pixels would be black"
    )
    yield Finding(
        "drawing",
        "The drawing hides the map: a perfect answer would look blank, too.",
        f"Drawn by this code, the targets themselves are lost: {end}, and of their contrast "
        f"({d.wanted:.3f}) {d.contrast:.3f} is left.",
        "Draw `sigmoid(logits)` in grey between 0 and 1 (or between its own minimum and maximum), "
        "without de-normalisation. The network may have learned the map already.",
    )


def _inputs(m: Measures) -> Iterator[Finding]:
    if m.input_contrast is None or m.input_level is None or m.input_range is None:
        return
    low, high = m.input_range
    told = f"Values reach from {low:.4g} to {high:.4g}, with a standard deviation of "
    told += f"{m.input_contrast:.3g} about a channel mean of up to {m.input_level:.3g}."
    if m.inputs_all_same and m.pictures > 1:
        yield Finding(
            "input-scaling",
            "All inputs are the same picture.",
            told,
            "Look at what the loader gives for two different indices.",
        )
    elif m.input_contrast < 0.02 or m.input_contrast < 0.02 * m.input_level:
        variance = "" if m.input_variance is None else _beside_epsilon(m.input_variance)
        yield Finding(
            "input-scaling",
            "The inputs have next to no contrast.",
            f"{told} Pictures in [0, 1] have about 0.25, normalised ones about 1.{variance}",
            "Is a mean and std of 0 to 255 applied to pictures in [0, 1] (`ToTensor` has divided "
            "by 255 already)? Normalise once, with numbers of the pictures' own range.",
        )
    elif m.input_contrast > 20:
        yield Finding(
            "input-scaling",
            "The inputs are not scaled.",
            told,
            "Divide by 255, then normalise; most first layers expect values of about 1.",
        )


def _beside_epsilon(variance: float) -> str:
    if variance > 1e-3:
        return ""
    return (
        f" The least channel variance is {variance:.2g}; BatchNorm adds 1e-5 to what the first "
        "convolution makes of it."
    )


def _input_pairs(m: Measures) -> Iterator[Finding]:
    pairs = m.input_match
    if pairs.count < FEWEST or m.inputs_all_same:
        return
    if pairs.offset and pairs.offset_z > 6 and pairs.z < 3:
        yield Finding(
            "pairing",
            f"Targets belong to other inputs: input i fits target i {pairs.offset:+d}.",
            f"Edges of inputs and targets agree {pairs.offset_z:.1f} standard deviations better "
            f"at that offset than by chance, as they are paired {pairs.z:.1f}.",
            "Sort both lists by name, and join them by name, not by position.",
        )
    elif pairs.z < 3:
        yield Finding(
            "pairing",
            "Inputs and targets are probably not paired: a target fits its own input no better "
            "than another's.",
            f"Their edges correlate by {pairs.own:.3f}, with permuted targets by "
            f"{pairs.others:.3f} ({pairs.z:.1f} standard deviations; {pairs.count} pairs).",
            "Are file lists sorted (`glob` and `os.listdir` are not), of equal length, and "
            "shuffled together? Print ten names side by side, and draw a target over its input. A "
            "target without any edges of its input can be right, too: then look with your eyes.",
        )


def _answers(m: Measures) -> Iterator[Finding]:
    """Say what predictions are, by the most specific reason; one of them at most."""
    own = m.prediction_match
    if m.spread_ratio < 0.05:
        yield Finding(
            "constant",
            "The output is constant.",
            f"Its spread within a picture is {100 * m.spread_ratio:.2g} % of the "
            f"target's.{_floor(m)}",
            "Can it learn one batch by heart? If not: is the target there, is the loss's gradient "
            "finite and not 0, is an activation dead (ReLU or sigmoid at its end), is the rate too "
            "high or too low? Start the last layer's bias at the logit of the targets' mean.",
        )
    elif _is_brightness(m):
        assert m.brightness is not None
        yield Finding(
            "brightness-copy",
            "The output is a copy of the input's brightness"
            + (", inverted." if m.brightness < 0 else "."),
            f"It correlates with the input by {m.brightness:+.2f}, with its target by "
            f"{m.correlation:+.2f}; the target with the input by {m.target_brightness or 0:+.2f}.",
            "The network is near its random start, or a short cut from the input is all that is "
            "trained: train longer or at a higher rate, and look whether deep layers get "
            "gradients.",
        )
    elif own.count < FEWEST:
        return
    elif own.z < -6 and own.own < -0.2:
        yield Finding(
            "inverted",
            "The output is upside down: it is high where its target is low.",
            f"Mean correlation {m.correlation:+.2f}.",
            "Near is bright in one of them and dark in the other, or depth is compared with "
            "disparity. Turn one of them round before loss and metric.",
        )
    elif own.offset and own.offset_z > 6 and own.z < 3:
        yield Finding(
            "pairing",
            f"Predictions belong to other targets: prediction i fits target i {own.offset:+d}.",
            f"{own.offset_z:.1f} standard deviations better than chance, as paired {own.z:.1f}.",
            "Sort both lists by name, and join them by name, not by position.",
        )
    elif own.z < 3 or own.own < 0.1 or (own.own < 0.25 and _is_beaten_by_mean_map(m)):
        yield Finding(
            "mean-map",
            "The output is no better than the mean of all targets: it does not depend on what its "
            "own picture shows.",
            f"Without what all pictures have in common, it correlates with its own target by "
            f"{own.own:.2f}, with permuted targets by {own.others:.2f} ({own.z:.1f} standard "
            f"deviations). {100 * m.common_share:.0f} % of its variance is the same in all "
            f"pictures; the mean map alone correlates with targets by "
            f"{m.mean_map_correlation:.2f}, the output by {m.correlation:.2f}.{_floor(m)}",
            "This is what a network learns first, what it learns from targets that are wrongly "
            "paired, and where it stays when the rate falls too early. Check pairs, input contrast "
            "and schedule; then train longer.",
        )
    elif m.loss_floors and m.loss > m.loss_floors["constant"]:
        yield Finding(
            "calibration",
            "The output has the right shape at a wrong level.",
            f"It correlates with its target by {m.correlation:.2f}, yet its {m.loss_name} "
            f"{m.loss:.4f} is above that of one constant ({m.loss_floors['constant']:.4f}).",
            "Are predictions logits where maps are expected (--kind), or in another unit than the "
            "targets? For relative depth fit scale and shift first.",
        )


def _is_beaten_by_mean_map(m: Measures) -> bool:
    worse = bool(m.loss_floors) and m.loss > m.loss_floors["mean_map"]
    return worse or m.correlation < m.mean_map_correlation


def _is_brightness(m: Measures) -> bool:
    if m.brightness is None or m.target_brightness is None:
        return False
    copied = abs(m.brightness)
    return (
        copied > 0.6
        and copied > abs(m.correlation) + 0.2
        and copied > abs(m.target_brightness) + 0.2
    )


def _floor(m: Measures) -> str:
    if not m.loss_floors:
        return ""
    f = m.loss_floors
    return (
        f" {m.loss_name.capitalize()} {m.loss:.4f}: one constant {f['constant']:.4f}, mean map "
        f"{f['mean_map']:.4f}, perfect {f['perfect']:.4f}."
    )


def _schedule(m: Measures) -> Iterator[Finding]:
    if m.spent_after is not None and m.logged_steps >= 5 and m.spent_after < 0.5:
        yield Finding(
            "schedule",
            "The learning rate falls too early: most of the training changes nothing.",
            f"99 % of rate x steps is spent after {100 * m.spent_after:.0f} % of the training.",
            "Let the rate fall over the whole run (a cosine), or by steps of 0.1 in its second "
            "half. `StepLR(step_size=2, gamma=0.01)` ends a training after two epochs.",
        )
    if m.update is not None and m.update < 1e-6 and (m.progress is None or m.progress < 0.9):
        when = "" if m.progress is None else f", {100 * m.progress:.0f} % through the run"
        yield Finding(
            "schedule",
            "The learning rate no longer changes the weights.",
            f"The next step is {m.update:.1e} of the weights' size{when}; about 1e-3 is usual.",
            "Raise the rate or let it fall later; look whether gradients vanish.",
        )
