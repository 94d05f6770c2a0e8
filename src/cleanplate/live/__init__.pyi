from .camera import Camera as Camera
from .camera import CameraFrame as CameraFrame
from .camera_opening import open_camera as open_camera
from .live_composite import LiveComposite as LiveComposite
from .live_composite import composite_of as composite_of
from .live_session import LiveOutputs as LiveOutputs
from .live_session import LiveSession as LiveSession
from .newest_frame import NewestFrame as NewestFrame
from .paced_camera import PacedCamera as PacedCamera
from .plate_capture import PlateCapture as PlateCapture
from .scene_object import object_of as object_of

__all__ = [
    "Camera",
    "CameraFrame",
    "LiveComposite",
    "LiveOutputs",
    "LiveSession",
    "NewestFrame",
    "PacedCamera",
    "PlateCapture",
    "composite_of",
    "object_of",
    "open_camera",
]
