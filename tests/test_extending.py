"""The examples of `examples/extending/` keep what they promise; `test_docs.py` runs them whole."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from cleanplate.training.data.batch import collate
from cleanplate.training.lightning_module import PairModule
from cleanplate.training.losses import MatteLoss
from cleanplate.training.networks import NETWORKS, Prediction

FOLDER = Path(__file__).resolve().parent.parent / "examples" / "extending"


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"extending_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("size", [(32, 32), (33, 47)])
def test_the_network_takes_any_size(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    network = example("own_network").DifferenceNet(width=0.5)
    plate, frame = torch.rand(2, 2, 3, *size)
    disparity = torch.rand(2, 1, *size)
    with torch.no_grad():
        found = network(plate, frame, disparity, torch.ones_like(disparity))
        unknown = network(plate, frame)
    assert found.alpha.shape == found.disparity.shape == (2, 1, *size)
    assert 0 <= float(found.alpha.min()) <= float(found.alpha.max()) <= 1
    assert bool((found.disparity >= disparity).all())
    assert unknown.disparity.shape == (2, 1, *size)


def test_importing_an_example_registers_nothing() -> None:
    before = set(NETWORKS)
    example("own_network")
    assert set(NETWORKS) == before


def test_the_loss_adds_the_gradient_of_the_error() -> None:
    truth = torch.zeros(1, 1, 4, 4)
    truth[..., 2:] = 1
    batch = {"alpha": truth, "shadow": torch.ones_like(truth)}
    alpha = torch.zeros_like(truth)
    loss = example("own_loss").EdgeLoss(weight=0.5)
    parts = loss(Prediction(alpha=alpha), batch)
    plain = MatteLoss()(Prediction(alpha=alpha), batch)
    # Along each row one of three steps differs, by 1; along the columns none.
    assert float(parts["edge"]) == pytest.approx(1 / 3)
    assert float(parts["total"]) == pytest.approx(float(plain["total"]) + 0.5 / 3)
    assert float(loss(Prediction(alpha=truth), batch)["edge"]) == 0


def test_a_run_takes_the_loss() -> None:
    example_loss = example("own_loss")
    loss = example_loss.EdgeLoss()
    assert PairModule(example_loss.SHORT, loss).objective is loss
    assert isinstance(PairModule(example_loss.SHORT).objective, MatteLoss)


def test_the_source_makes_the_same_sample_again() -> None:
    source = example("own_source").Discs(seed=3)
    one, again, other = (
        source.sample(5, (24, 32)),
        source.sample(5, (24, 32)),
        source.sample(6, (24, 32)),
    )
    for name, array in one.items():
        np.testing.assert_array_equal(array, again[name])
    assert (one["plate"] != other["plate"]).any()
    inside, outside = one["alpha"] == 1, one["alpha"] == 0
    assert (one["frame"][inside] == one["foreground"][inside]).all()
    assert (one["frame"][outside] == one["plate"][outside]).all()
    assert (one["disparity"][inside] > one["plate_disparity"][inside]).all()


def test_the_sources_samples_make_a_batch() -> None:
    source = example("own_source").Discs(seed=3)
    batch = collate([{**source.sample(i, (24, 32)), "index": i} for i in range(2)])
    assert batch.frame.shape == (2, 3, 24, 32)
    assert float(batch.subject_valid.mean()) < 1  # unknown where no subject is
    assert float(batch.valid.mean()) == 1
