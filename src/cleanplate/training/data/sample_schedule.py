"""Schedule of a run: sample numbers and picture size of each step, from the recipe alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cleanplate.training.recipes import Recipe, Stage


@dataclass(frozen=True)
class StageSpan:
    """Steps of a stage, `first_step` to `end_step` - 1, and the number of its first sample."""

    stage: Stage
    first_step: int
    end_step: int
    first_sample: int


def stage_spans(recipe: Recipe) -> tuple[StageSpan, ...]:
    """Compute the spans of a recipe's stages; together they cover every step once."""
    result = []
    step = sample = 0
    done = 0.0
    for number, stage in enumerate(recipe.stages):
        done += stage.share
        last = number == len(recipe.stages) - 1
        end = recipe.steps if last else round(recipe.steps * done)
        result.append(StageSpan(stage, step, end, sample))
        sample += (end - step) * stage.batch
        step = end
    return tuple(result)


def step_samples(recipe: Recipe, start: int = 0) -> Iterator[tuple[range, Stage]]:
    """Yield the sample numbers and the stage of each step from `start` on."""
    for span in stage_spans(recipe):
        for step in range(max(start, span.first_step), span.end_step):
            first = span.first_sample + (step - span.first_step) * span.stage.batch
            yield range(first, first + span.stage.batch), span.stage


def samples_seen(recipe: Recipe, step: int) -> int:
    """Count the samples of the first `step` steps."""
    return sum(
        (min(step, s.end_step) - s.first_step) * s.stage.batch
        for s in stage_spans(recipe)
        if step > s.first_step
    )
