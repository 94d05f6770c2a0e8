"""The working size follows a time that depends on it."""

from __future__ import annotations

import itertools

from cleanplate.video.working_size_control import PATIENCE, SIZES, WINDOW, WorkingSizeControl


def driven(control: WorkingSizeControl, frames: int, seconds) -> list[int]:
    sizes = []
    for number in range(frames):
        sizes.append(control.size)
        control.took(seconds(control.size, number))
    return sizes


def test_it_goes_down_until_frames_are_in_time():
    sizes = driven(WorkingSizeControl(25), 60, lambda size, _: 0.1 * (size / 512) ** 2)
    # 0.1 s x (320 / 512)^2 = .039 s, the first that is below .04 s.
    assert sizes[0] == 512
    assert sizes[-1] == 320
    assert sizes == sorted(sizes, reverse=True)


def test_a_single_slow_frame_changes_nothing():
    sizes = driven(WorkingSizeControl(25), 200, lambda _, number: 1.0 if number == 50 else 0.03)
    assert set(sizes) == {512}


def test_it_comes_back_when_the_machine_is_free_again():
    busy = 40
    sizes = driven(
        WorkingSizeControl(25),
        600,
        lambda size, number: (0.1 if number < busy else 0.03) * (size / 512) ** 2,
    )
    assert sizes[busy] == 320
    assert sizes[-1] == 512


def test_vain_attempts_become_rare():
    """A larger size that looks possible but is not is tried less and less often."""
    seconds = {512: 0.05, 448: 0.03, 384: 0.025, 320: 0.02, 256: 0.02}
    sizes = driven(WorkingSizeControl(25), 4000, lambda size, _: seconds[size])
    raised = [n for n, (a, b) in enumerate(itertools.pairwise(sizes)) if b > a]
    # 448 takes .03 s, and .03 x (512 / 448)^2 = .039 s is more than .8 of the target: never tried.
    assert raised == []
    seconds[448] = 0.02
    sizes = driven(WorkingSizeControl(25), 4000, lambda size, _: seconds[size])
    raised = [n for n, (a, b) in enumerate(itertools.pairwise(sizes)) if b > a]
    gaps = [b - a for a, b in itertools.pairwise(raised)]
    assert 3 <= len(raised) <= 7
    assert gaps == sorted(gaps)
    assert gaps[0] >= PATIENCE + WINDOW


def test_nothing_below_the_smallest():
    assert driven(WorkingSizeControl(60), 200, lambda *_: 1.0)[-1] == SIZES[-1]


def test_a_small_largest_size_is_kept():
    assert set(driven(WorkingSizeControl(1, 200), 100, lambda *_: 0.01)) == {200}
