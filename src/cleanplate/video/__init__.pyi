from .clip import Clip as Clip
from .clip import ClipFacts as ClipFacts
from .clip import ClipFrame as ClipFrame
from .clip_reader import open_clip as open_clip
from .clip_writer import ClipWriter as ClipWriter
from .clip_writer import resume_index as resume_index
from .frame_layers import FrameLayers as FrameLayers
from .output_presets import PRESETS as PRESETS
from .output_presets import Output as Output
from .output_presets import output_of as output_of

__all__ = [
    "PRESETS",
    "Clip",
    "ClipFacts",
    "ClipFrame",
    "ClipWriter",
    "FrameLayers",
    "Output",
    "open_clip",
    "output_of",
    "resume_index",
]
