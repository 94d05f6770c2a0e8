"""Averaged weights in 16 bits: what training can begin again with."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from cleanplate.errors import CleanplateError
from cleanplate.training.half_precision_weights import read_weights, write_weights

FACTS = {"recipe": {"name": "one"}, "samples": 7}


def test_weights_and_facts_come_back_rounded_to_16_bits(tmp_path):
    weights = {"a": torch.tensor([1 / 3, 2.0]), "count": torch.tensor(3)}
    write_weights(weights, FACTS, tmp_path / "w.safetensors")
    back = read_weights(tmp_path / "w.safetensors")
    assert {key: back[key] for key in FACTS} == FACTS
    state = back["state_dict"]
    # 1/3 in binary16: 1365 / 4096.
    assert state["average.module.a"].tolist() == [1365 / 4096, 2.0]
    assert state["average.module.a"].dtype == torch.float32
    assert int(state["average.module.count"]) == 3


def test_what_16_bits_cannot_hold_is_refused(tmp_path):
    with pytest.raises(CleanplateError, match="16 bits"):
        write_weights({"a": torch.tensor([1e6])}, {}, tmp_path / "w.safetensors")
    assert not (tmp_path / "w.safetensors").exists()


@pytest.mark.parametrize("content", [b"", b"\x08\0\0\0\0\0\0\0{}      ", b"nonsense" * 100])
def test_another_file_is_told(tmp_path, content):
    (tmp_path / "w.safetensors").write_bytes(content)
    with pytest.raises(CleanplateError, match="not weights of Cleanplate"):
        read_weights(tmp_path / "w.safetensors")


def test_a_run_begins_with_exported_weights(tmp_path):
    pytest.importorskip("lightning")
    from cleanplate.training.checkpoint import read_checkpoint
    from cleanplate.training.export.model_export import export_weights
    from cleanplate.training.fit import RunOptions, fit
    from cleanplate.training.lightning_module import PairModule
    from cleanplate.training.recipes import DataRecipe
    from tests.training.discs import Discs, tiny_recipe

    options = RunOptions(workers=0, quiet=True, pictures_every=0)
    data = DataRecipe(kind="procedural", path=tmp_path / "elsewhere")
    first = fit(
        tiny_recipe(steps=4, data=data), tmp_path / "first", options, sources=(Discs(), None)
    )
    file = export_weights(tmp_path / "first", tmp_path / "w.safetensors")
    assert str(tmp_path).encode() not in file.read_bytes()
    recipe = tiny_recipe(steps=4, start=file)
    module = PairModule(recipe)
    module.load_pretrained(file, read_checkpoint(file))
    trained = read_checkpoint(first.checkpoint)["state_dict"]
    for name, value in module.inference_network.state_dict().items():
        expected = trained[f"average.module.{name}"]
        torch.testing.assert_close(value, expected, rtol=1e-3, atol=1e-6)
    assert fit(recipe, tmp_path / "second", options, sources=(Discs(), None)).status == "complete"


def test_the_mean_of_two_runs(tmp_path):
    pytest.importorskip("lightning")
    from cleanplate.cli import main
    from cleanplate.training.export.model_export import export_weights

    names = ("a.weight", "b.count")
    for name, value in (("one", 1.0), ("two", 2.0)):
        parts = (torch.full((3,), value), torch.tensor(int(value)))
        write_weights(
            dict(zip(names, parts, strict=True)), {"samples": 7}, tmp_path / f"{name}.safetensors"
        )
    one, two = (tmp_path / f"{name}.safetensors" for name in ("one", "two"))
    call = ["export", str(two), "-o", str(tmp_path / "mean.safetensors"), "--mean-with", str(one)]
    assert main(call) == 0
    mean = read_weights(tmp_path / "mean.safetensors")["state_dict"]
    (weight,) = (value for name, value in mean.items() if name.endswith("a.weight"))
    (count,) = (value for name, value in mean.items() if name.endswith("b.count"))
    torch.testing.assert_close(weight, torch.full((3,), 1.5))
    assert count == 2
    write_weights({"a.weight": torch.ones(4)}, {}, tmp_path / "wide.safetensors")
    with pytest.raises(CleanplateError, match="another network"):
        export_weights(one, tmp_path / "no.safetensors", mean_with=tmp_path / "wide.safetensors")
    assert not (tmp_path / "no.safetensors").exists()
    assert main(["export", str(two), "-o", str(tmp_path / "model"), "--mean-with", str(one)]) == 2
