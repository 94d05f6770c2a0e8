"""CollapseMonitor warns of constant outputs; image grids are logged."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from cleanplate.formats.pictures import read_image
from cleanplate.training import fit as fitting
from cleanplate.training.collapse_monitor import (
    CollapseMonitor,
    CollapseWarning,
    spread_ratios,
)
from cleanplate.training.data.batch import collate, relative
from cleanplate.training.image_logging import COLUMNS, picture_grid
from cleanplate.training.json_log import read_log
from cleanplate.training.networks import NETWORKS, NetworkRecipe, PairNetwork, Prediction
from tests.training.discs import Discs, tiny_recipe


@pytest.fixture
def batch():
    return relative(collate([Discs().sample(i, (32, 40)) for i in range(4)]))


def truth(batch, **changes):
    prediction = Prediction(
        alpha=batch.alpha,
        disparity=batch.disparity,
        plate_disparity=batch.plate_disparity,
        shadow=batch.shadow,
    )
    return prediction._replace(**changes)


class Constant(PairNetwork):
    """A network whose outputs are one value for every pixel."""

    plate_outputs = ("nothing",)

    def __init__(self, width=1.0):
        super().__init__()
        self.values = torch.nn.Parameter(torch.zeros(2))

    def encode_plate(self, plate, plate_disparity=None, plate_valid=None):
        return (plate[:, :1],)

    def compare(self, frame, plate, features):
        alpha, disparity = (v.expand(len(frame), 1, *frame.shape[-2:]) for v in self.values)
        return Prediction(
            alpha.sigmoid(), disparity, alpha_logits=alpha, disparity_logits=disparity
        )


def test_a_true_prediction_has_the_spread_of_its_target(batch):
    assert spread_ratios(truth(batch), batch) == pytest.approx(
        {"alpha": 1, "disparity": 1, "plate_disparity": 1}
    )


def test_a_flattened_one_has_the_share_that_is_left(batch):
    flat = truth(batch, disparity=7 + 0.03 * batch.disparity)
    assert spread_ratios(flat, batch)["disparity"] == pytest.approx(0.03, rel=1e-3)


def test_flat_targets_are_not_counted(batch):
    flat = batch._replace(disparity=batch.disparity * 0, alpha=batch.alpha * 0)
    assert set(spread_ratios(truth(batch), flat)) == {"plate_disparity"}


def watched(watch, batch, prediction, steps):
    module = SimpleNamespace(log=lambda *_: None)
    for step in range(1, steps + 1):
        trainer = SimpleNamespace(global_step=step)
        outputs = {"prediction": prediction, "batch": batch}
        watch.on_train_batch_end(trainer, module, outputs, None, step)


def test_a_constant_depth_is_reported_once_with_hints(batch):
    blank = truth(batch, disparity=torch.full_like(batch.disparity, 0.4))
    watch = CollapseMonitor(every=5, patience=2, start=20)
    with pytest.warns(CollapseWarning) as caught:
        watched(watch, batch, blank, 60)
    (warning,) = caught
    assert "your depth is constant" in str(warning.message)
    assert "--overfit-one-batch" in str(warning.message)


def test_an_output_with_spread_gives_no_warning(batch):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        watched(CollapseMonitor(every=1, patience=1, start=0), batch, truth(batch), 20)


def test_a_short_collapse_gives_no_warning(batch):
    blank = truth(batch, alpha=torch.zeros_like(batch.alpha))
    watch = CollapseMonitor(every=1, patience=3, start=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(4):
            watched(watch, batch, blank, 2)
            watched(watch, batch, truth(batch), 1)


def many(count: int = 16):
    return relative(collate([Discs().sample(i, (32, 40)) for i in range(count)]))


def warned(watch, batch, prediction, steps=8, **trainer) -> list[str]:
    """What the watch says, one code for each warning."""
    module = SimpleNamespace(log=lambda *_: None)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for step in range(1, steps + 1):
            outputs = {"prediction": prediction, "batch": batch}
            told = SimpleNamespace(global_step=step, **trainer)
            watch.on_train_batch_end(told, module, outputs, None, step)
    return sorted(str(one.message) for one in caught)


def watch():
    return CollapseMonitor(every=1, patience=2, start=0, pictures=16)


def test_the_true_answer_of_many_pictures_raises_nothing():
    batch = many()
    assert warned(watch(), batch, truth(batch)) == []


def test_the_mean_map_is_named_once_by_output():
    batch = many()
    blank = truth(batch, disparity=batch.disparity.mean(0, keepdim=True).expand_as(batch.disparity))
    (said,) = warned(watch(), batch, blank)
    assert said.startswith("your depth: mean-map:")


def test_a_copy_of_the_frames_brightness_is_named():
    batch = many()
    grey = batch.frame.mean(1, keepdim=True)
    (said,) = warned(watch(), batch, truth(batch, disparity=grey))
    assert said.startswith("your depth: brightness-copy:")


def test_targets_of_other_frames_are_named_however_well_they_are_learned():
    batch = many()
    shuffled = batch._replace(frame=batch.frame.roll(3, 0))
    said = warned(watch(), shuffled, truth(batch))
    assert [one.partition(" belong")[0] for one in said] == [
        "your alpha: pairing: Targets",
        "your depth: pairing: Targets",
    ]


def test_frames_without_contrast_are_named_once_for_the_run():
    batch = many()
    faint = batch._replace(frame=(batch.frame - 0.45 * 255) / (0.225 * 255))
    (said,) = warned(watch(), faint, truth(batch, plate_disparity=None))
    assert said.startswith("your training: input-scaling:")


@pytest.mark.parametrize(("rate", "steps", "named"), [(1e-9, 400, 1), (1e-9, 4, 0), (0.1, 400, 0)])
def test_a_rate_that_is_dead_before_the_end_is_named(rate: float, steps: int, named: int):
    batch = many()
    weights = torch.nn.Parameter(torch.ones(9))
    optimiser = torch.optim.SGD([weights], lr=rate)
    weights.grad = torch.full((9,), 0.1)
    said = warned(watch(), batch, truth(batch), optimizers=[optimiser], max_steps=steps)
    assert len(said) == named
    assert all(one.startswith("your training: schedule:") for one in said)


def test_a_training_that_stays_blank_warns_by_itself(tmp_path, monkeypatch):
    monkeypatch.setitem(NETWORKS, "seed", lambda **_: Constant())
    monkeypatch.setattr(
        fitting, "CollapseMonitor", lambda: CollapseMonitor(every=2, patience=2, start=2)
    )
    recipe = tiny_recipe(network=NetworkRecipe(name="seed"), objective="cross-entropy")
    options = fitting.RunOptions(workers=0, threads=1, accelerator="cpu", log_every=1, quiet=True)
    with pytest.warns(CollapseWarning) as caught:
        fitting.fit(recipe, tmp_path, options, sources=(Discs(), None))
    texts = [str(w.message) for w in caught if w.category is CollapseWarning]
    assert any("your depth is constant" in text for text in texts)
    assert any("your alpha is constant" in text for text in texts)
    lines = read_log(tmp_path / fitting.LOG)
    assert all(line["spread/disparity"] < 1e-3 for line in lines if "spread/disparity" in line)


@pytest.mark.parametrize(("rate", "named"), [(1e-12, True), (1e-3, False)])
def test_a_run_whose_rate_is_dead_says_so(tmp_path, monkeypatch, rate: float, named: bool):
    watching = CollapseMonitor(every=1, patience=1, start=2, pictures=4)
    monkeypatch.setattr(fitting, "CollapseMonitor", lambda: watching)
    launch = fitting.RunOptions(workers=0, threads=1, accelerator="cpu", quiet=True)
    recipe = tiny_recipe(learning_rate=rate, steps=8)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitting.fit(recipe, tmp_path, launch, sources=(Discs(), None))
    said = [str(w.message) for w in caught if w.category is CollapseWarning]
    assert any(one.startswith("your training: schedule") for one in said) == named


def test_a_grid_shows_truth_beside_prediction(batch):
    grid = picture_grid(batch, truth(batch), rows=3)
    assert grid.shape == (3 * 32, len(COLUMNS) * 40, 3)
    columns = dict(zip(COLUMNS, np.split(grid, len(COLUMNS), axis=1), strict=True))
    np.testing.assert_array_equal(columns["alpha: truth"], columns["alpha"])
    np.testing.assert_array_equal(columns["disparity: truth"], columns["disparity"])
    frame = np.rint(batch.frame[1].numpy().transpose(1, 2, 0) * 255)
    np.testing.assert_array_equal(columns["frame"][32:64], frame)
    assert columns["disparity"].std() > 20


def test_a_flat_map_is_drawn_flat_on_the_truths_scale(batch):
    flat = truth(batch, disparity=torch.zeros_like(batch.disparity), shadow=None)
    columns = np.split(picture_grid(batch, flat), len(COLUMNS), axis=1)
    for row in np.split(columns[COLUMNS.index("disparity")], 4):
        assert (row == row[0, 0]).all()


def test_a_run_logs_image_grids(tmp_path):
    options = fitting.RunOptions(
        workers=0, threads=1, accelerator="cpu", quiet=True, pictures_every=3
    )
    fitting.fit(tiny_recipe(steps=6), tmp_path, options, sources=(Discs(), None))
    drawn = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert drawn == ["step-0000003.png", "step-0000006.png"]
    assert read_image(tmp_path / "pictures" / drawn[0]).shape == (4 * 32, 8 * 32, 3)
