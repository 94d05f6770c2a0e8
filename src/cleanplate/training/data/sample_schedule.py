"""Which samples each step of a run takes, and at which size: a function of the recipe alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cleanplate.training.recipes import Recipe, Stage


@dataclass(frozen=True)
class Stretch:
    """A stage's place in the run: its steps and the number of its first sample."""

    stage: Stage
    first_step: int
    end_step: int
    first_sample: int


def stretches(recipe: Recipe) -> tuple[Stretch, ...]:
    """Lay the stages out over the run: together they cover every step once."""
    result = []
    step = sample = 0
    done = 0.0
    for number, stage in enumerate(recipe.stages):
        done += stage.share
        last = number == len(recipe.stages) - 1
        end = recipe.steps if last else round(recipe.steps * done)
        result.append(Stretch(stage, step, end, sample))
        sample += (end - step) * stage.batch
        step = end
    return tuple(result)


def step_samples(recipe: Recipe, start: int = 0) -> Iterator[tuple[range, Stage]]:
    """Give the numbers of each step's samples from `start` on, and the stage of their size."""
    for stretch in stretches(recipe):
        for step in range(max(start, stretch.first_step), stretch.end_step):
            first = stretch.first_sample + (step - stretch.first_step) * stretch.stage.batch
            yield range(first, first + stretch.stage.batch), stretch.stage


def samples_seen(recipe: Recipe, step: int) -> int:
    """How many samples `step` steps take."""
    return sum(
        (min(step, s.end_step) - s.first_step) * s.stage.batch
        for s in stretches(recipe)
        if step > s.first_step
    )
