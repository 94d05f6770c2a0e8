"""The report's network as its summary lists it: one row for each use of a module."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cleanplate.markdown_table import markdown_table
from cleanplate.training.networks.seed_net import DecoderBlock, SeedNet


def network_rows(size: int = 128) -> list[tuple[str, tuple[int, ...], int]]:
    """Give type, output shape without the batch, and parameters of each use of a module."""
    model = SeedNet().eval()
    rows: list[tuple[str, tuple[int, ...], int]] = []

    def note(module: nn.Module, _: object, output: Tensor) -> None:
        own = sum(p.numel() for p in module.parameters(recurse=False))
        rows.append((type(module).__name__, tuple(output.shape[1:]), own))

    for module in model.modules():
        if not isinstance(module, nn.Sequential | DecoderBlock | SeedNet):
            module.register_forward_hook(note)
    with torch.inference_mode():
        model(torch.rand(1, 3, size, size), torch.rand(1, 3, size, size))
    return rows


def network_table() -> str:
    """Lay the rows out, with their sum."""
    rows = network_rows()
    lines = [
        [str(i), kind, " x ".join(map(str, shape)), f"{count:,}"]
        for i, (kind, shape, count) in enumerate(rows, 1)
    ]
    total = sum(count for *_, count in rows)
    return markdown_table(
        ["row", "module", "output", "parameters"], [*lines, ["", "by use", "", f"{total:,}"]]
    )
