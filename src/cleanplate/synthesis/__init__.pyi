from .assets.cutout import Cutout as Cutout
from .assets.plate import Plate as Plate
from .compositor.composer import Composer as Composer
from .compositor.composer import ProceduralComposer as ProceduralComposer
from .compositor.sample import Sample as Sample
from .compositor.settings import CompositorSettings as CompositorSettings

__all__ = [
    "Composer",
    "CompositorSettings",
    "Cutout",
    "Plate",
    "ProceduralComposer",
    "Sample",
]
