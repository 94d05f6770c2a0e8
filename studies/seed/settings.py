"""What one training of the study is, and at which scale the study runs. Pure values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Mask = Literal["stem", "decoder", "own"]
Loss = Literal["bce", "l1", "smooth-l1", "mse", "ssim", "l1-gradient", "l1-ssim-edges", "ssi"]
Camera = Literal["none", "exposure", "noise", "shift", "jpeg", "all"]


@dataclass(frozen=True)
class Settings:
    """One training. The defaults are the report's, as its notebooks had them.

    Args:
        network: SeedNet or CompactNet.
        widen: factor on the scale's width.
        fusion: how SeedNet compares the two pictures.
        task: which outputs there are and are trained.
        mask_from: where the mask is read: from the fused stem (it sees 9 x 9 pixels), from the
            U-Net's last features, or from a decoder of its own.
        shared_head: one last convolution for mask and depth.
        channels: of each output and its target; the report's RGB trials have 3.
        dropout: share of features dropped before the last convolution.
        scaling: of the input. "report": ImageNet's mean and std times 255, on pictures in [0, 1].
        jitter: colour jitter of 0.15, drawn for plate and frame apart, or for both at once.
        loss: of depth.
        mask_weight: the mask's loss counts this much, depth's 1.
        target: "report": near is dark, within .19 to .51; "full": near is bright, 0 to 1.
        teacher: where depth comes from: the renderer, or a monocular network (`TEACHER`) that
            looked at the finished frame.
        blind: the network is shown the frame in the plate's place.
        mispaired: share of training samples with the depth of another sample.
        optimiser: "sgd" has momentum 0.9, "adam" a warm-up over a twentieth of the steps.
        rate: learning rate.
        schedule: "report": times 0.01 every 2 epochs.
        epochs: over the training pairs.
        order: "both" at once; "depth-first": depth for half of the epochs, then the mask with
            all that depth uses frozen.
        small_first: half of the epochs at half the size.
        more: draw from `Scale.more` times as many pairs; how many steps that makes, `stretch` says.
        stretch: factor on the steps of an epoch, of which there are as many as the scale has pairs
            for.
        sgd: factor on the scale's rate of SGD. 1 / `stretch` keeps the product of rate and steps.
        stop: epochs after which training ends, while the schedule runs as for `epochs`; 0 = none.
        camera: what plate and frame went through, in training.
        data: the assignment's form, or realistic composites.
    """

    network: Literal["seed", "compact"] = "seed"
    widen: float = 1.0
    fusion: Literal["concat", "features", "pictures"] = "concat"
    task: Literal["mask", "depth", "both"] = "both"
    mask_from: Mask = "stem"
    shared_head: bool = True
    channels: Literal[1, 3] = 1
    dropout: float = 0.0
    scaling: Literal["report", "imagenet"] = "report"
    jitter: Literal["apart", "joint", "none"] = "apart"
    loss: Loss = "bce"
    mask_weight: float = 2.0
    target: Literal["report", "full"] = "report"
    teacher: Literal["exact", "monocular"] = "exact"
    blind: bool = False
    mispaired: float = 0.0
    optimiser: Literal["sgd", "adam"] = "sgd"
    rate: float = 1e-3
    schedule: Literal["report", "cosine", "constant"] = "report"
    epochs: int = 9
    order: Literal["both", "depth-first"] = "both"
    small_first: bool = False
    more: bool = False
    stretch: float = 1.0
    sgd: float = 1.0
    stop: float = 0.0
    camera: Camera = "none"
    data: Literal["assignment", "realistic"] = "assignment"


REPORT = Settings()
"""The report's second task."""

SOUND = Settings(
    mask_from="decoder",
    shared_head=False,
    scaling="imagenet",
    jitter="joint",
    loss="l1",
    mask_weight=1.0,
    target="full",
    optimiser="adam",
    schedule="cosine",
)
"""What a careful engineer would have done with the same network, data and epochs."""

EXACT = replace(SOUND, mask_from="stem", shared_head=True, mask_weight=2.0)
"""Sound training of the report's exact architecture: only the network is the report's."""

TEACHER = replace(SOUND, task="depth", blind=True, data="realistic")
"""A network that knows depth from single pictures, as the report's teacher did."""


@dataclass(frozen=True)
class Scale:
    """How large the study is.

    Args:
        name: of the scale.
        size: of the square pictures that networks see, in pixels.
        width: factor on SeedNet's channel counts.
        pairs: that train.
        validation: pairs of each kind of validation.
        seeds: of the trainings that all else leans on (task 1, the anchors, their rates and longer
            ones), of each suspect, of the rest.
        epochs: overrides the settings' own; 0 = as they say.
        batch: pairs in one step; the report's is 16. Smaller where pairs are few, for more steps.
        sgd: factor on the learning rate of SGD. A scale with fewer steps than the report's 2,500
            an epoch keeps the product of rate and steps, or its schedule would stop before
            anything began.
        plates, cutouts: assets in the built set.
        stored: size of the built pictures, as the assignment stores them.
        placements: of each plate, cutout and flip in the built set.
        more: times `pairs` for the longer trainings and those at other rates; 1 = there are none.
        bfloat: train in bfloat16 but for the first convolutions, whose input needs float32 where
            it is scaled the report's way.
        device: torch's name of what trains.
    """

    name: str
    size: int
    width: float
    pairs: int
    validation: int
    seeds: tuple[int, int, int]
    epochs: int = 0
    batch: int = 16
    sgd: float = 1.0
    plates: int = 100
    cutouts: int = 100
    stored: int = 224
    placements: int = 1
    more: int = 1
    bfloat: bool = True
    device: str = "cpu"

    @property
    def steps(self) -> int:
        """Steps of an epoch over `pairs`."""
        return self.pairs // self.batch

    @property
    def told(self) -> str:
        """The scale in words, for captions."""
        size = f"{self.size} x {self.size} px"
        return f"{size}, SeedNet at width {self.width:g}, {self.pairs} pairs"


SCALES = {
    "smoke": Scale(
        "smoke",
        32,
        0.0625,
        32,
        12,
        (1, 1, 1),
        2,
        sgd=2500 / 160,
        plates=10,
        cutouts=10,
        stored=64,
        placements=2,
        more=2,
        bfloat=False,
    ),
    "small": Scale(
        "small", 48, 0.125, 640, 160, (3, 2, 1), batch=4, sgd=2500 / 160, more=8, bfloat=False
    ),
    "full": Scale("full", 128, 1.0, 40_000, 1_000, (3, 3, 3), placements=20),
}
