"""Frames: every kind of camera message becomes an (H, W, 3) uint8 BGR array.

Only attributes are read, so messages of rclpy and of rosbags work alike. All 8-bit colour, grey,
Bayer and YUV encodings that cameras send are converted here, so cv_bridge is not needed.
"""

from __future__ import annotations

import re
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.errors import FrameError
from perception.headers import JPEG, PNG, inspect_jpeg, inspect_png

Frame = NDArray[np.uint8]

MAX_PIXELS = 64_000_000
MAX_SIDE = 32_767  # px; the limits of OpenCV's drawing, scaling and JPEG are little higher

# encoding of sensor_msgs/Image: (bytes per pixel of its first plane, OpenCV's conversion to BGR)
ENCODINGS: dict[str, tuple[int, int | None]] = {
    "bgr8": (3, None),
    "8UC3": (3, None),
    "rgb8": (3, cv2.COLOR_RGB2BGR),
    "bgra8": (4, cv2.COLOR_BGRA2BGR),
    "8UC4": (4, cv2.COLOR_BGRA2BGR),
    "rgba8": (4, cv2.COLOR_RGBA2BGR),
    "mono8": (1, cv2.COLOR_GRAY2BGR),
    "8UC1": (1, cv2.COLOR_GRAY2BGR),
    # OpenCV names a pattern after its second row, starting at the second column.
    "bayer_rggb8": (1, cv2.COLOR_BayerBG2BGR),
    "bayer_bggr8": (1, cv2.COLOR_BayerRG2BGR),
    "bayer_gbrg8": (1, cv2.COLOR_BayerGR2BGR),
    "bayer_grbg8": (1, cv2.COLOR_BayerGB2BGR),
    "yuv422": (2, cv2.COLOR_YUV2BGR_UYVY),
    "uyvy": (2, cv2.COLOR_YUV2BGR_UYVY),
    "yuv422_yuy2": (2, cv2.COLOR_YUV2BGR_YUY2),
    "yuyv": (2, cv2.COLOR_YUV2BGR_YUY2),
    "nv12": (1, cv2.COLOR_YUV2BGR_NV12),
    "nv21": (1, cv2.COLOR_YUV2BGR_NV21),
}
_TWO_PLANES = ("nv12", "nv21")  # full-size Y, then half as many rows of U and V
_PAIRED_COLUMNS = ("yuv422", "uyvy", "yuv422_yuy2", "yuyv", *_TWO_PLANES)
_DEEP = re.compile(r"(mono|rgb|bgr|rgba|bgra|bayer_.*)16|(8S|16[USF]|32[SF]|64F)C\d+")


def from_image(msg: Any) -> Frame:
    """Convert a sensor_msgs/Image.

    Args:
        msg: any object with ``height``, ``width``, ``encoding``, ``step`` and ``data`` (bytes,
            ``array.array``, memoryview or numpy).

    Returns:
        (H, W, 3) uint8 BGR, C-contiguous. For bgr8 without row padding it is a read-only view that
        keeps ``msg.data`` alive; do not alter the message while it is in use. All others are copies.

    Raises:
        FrameError: reason size, huge, depth, encoding, step or data.
    """
    height, width, encoding, step = int(msg.height), int(msg.width), str(msg.encoding), int(msg.step)
    _check_size(height, width)
    if encoding not in ENCODINGS:
        if _DEEP.fullmatch(encoding):
            raise FrameError(
                "depth", f"encoding {encoding!r} is not 8 bit; set the camera driver to bgr8 or rgb8"
            )
        raise FrameError(
            "encoding", f"encoding {encoding!r} is unknown; these are known: {', '.join(ENCODINGS)}"
        )
    pixel_bytes, conversion = ENCODINGS[encoding]
    if (encoding in _PAIRED_COLUMNS and width % 2) or (encoding in _TWO_PLANES and height % 2):
        raise FrameError("size", f"{width}x{height} pixels in {encoding}, which needs even numbers")
    if step < width * pixel_bytes:
        raise FrameError(
            "step", f"step is {step} bytes; a row of {width} pixels in {encoding} takes {width * pixel_bytes}"
        )
    rows = height * 3 // 2 if encoding in _TWO_PLANES else height
    data = np.frombuffer(msg.data, np.uint8)
    if data.size != rows * step:
        raise FrameError("data", f"{data.size} bytes of data; {rows} rows of {step} bytes take {rows * step}")
    packed = data.reshape(rows, step)[:, : width * pixel_bytes].reshape(rows, width, pixel_bytes)
    if conversion is not None:
        return np.asarray(cv2.cvtColor(packed, conversion), np.uint8)
    frame = np.ascontiguousarray(packed)  # copies only where rows are padded
    frame.flags.writeable = False
    return frame


def from_compressed(msg: Any) -> Frame:
    """Decode a sensor_msgs/CompressedImage: JPEG or PNG, 8 bit, any number of channels.

    ``msg.format`` is written in many ways (``"jpeg"``, ``"rgb8; png compressed"``), so the data decides.

    Args:
        msg: any object with ``format`` and ``data`` (bytes, ``array.array``, memoryview or numpy).

    Returns:
        (H, W, 3) uint8 BGR, C-contiguous, owned by the caller. An orientation tag is not applied, because
        the published mask has to match the image.

    Raises:
        FrameError: reason size, huge, depth, encoding, jpeg or data.
    """
    if "compressedDepth" in str(msg.format):
        raise FrameError(
            "depth", "this is a depth image; subscribe to the compressed topic of a colour image"
        )
    return decode(msg.data)


def decode(data: Any, *, upright: bool = False) -> Frame:
    """Decode JPEG or PNG data as ``from_compressed`` does; ``upright`` applies its orientation tag."""
    view = memoryview(data).cast("B")
    if not view:
        raise FrameError("data", "compressed image without data")
    head = bytes(view[:8])
    if head.startswith(JPEG):
        kind, (depth, height, width) = "jpeg", inspect_jpeg(view)
    elif head == PNG:
        kind, (depth, height, width) = "data", inspect_png(view)
    else:
        raise FrameError("encoding", f"data starts with {head!r}, neither JPEG nor PNG")
    _check_size(height, width)
    if depth > 8:
        raise FrameError(
            "depth", f"compressed image of {depth} bits a channel; set the camera driver to 8 bit"
        )
    try:
        flags = cv2.IMREAD_COLOR | (0 if upright else cv2.IMREAD_IGNORE_ORIENTATION)
        picture = cv2.imdecode(np.frombuffer(view, np.uint8), flags)
    except cv2.error as error:
        raise FrameError(kind, f"compressed image is corrupt: {error.err}") from error
    shapes = [(height, width, 3)] + ([(width, height, 3)] if upright else [])
    if picture is None or picture.shape not in shapes:
        raise FrameError(kind, "compressed image is corrupt: OpenCV cannot decode it")
    return np.asarray(picture, np.uint8)


def check(frame: Frame) -> None:
    """Check that a frame is an (H, W, 3) uint8 array of a usable size.

    Raises:
        FrameError: reason size, huge, depth, encoding or data; the message says what to do.
    """
    if not isinstance(frame, np.ndarray):
        raise FrameError(
            "data", f"frame is {type(frame).__name__}, not a numpy array (cv2.imread gives None on failure)"
        )
    if frame.ndim != 3 or frame.shape[2] != 3:
        raise FrameError(
            "encoding", f"frame has shape {frame.shape}; (H, W, 3) BGR is needed, see cv2.cvtColor"
        )
    if frame.dtype != np.uint8:
        raise FrameError("depth", f"frame is {frame.dtype}; uint8 with values 0 to 255 is needed")
    _check_size(*frame.shape[:2])


def resize(frame: Frame, size_hw: tuple[int, int], *, out: Frame | None = None) -> Frame:
    """Resize, in training and on the car alike: a side that shrinks is averaged, one that grows interpolated.

    Args:
        size_hw: (height, width) wanted.
        out: (height, width, 3) memory to write to, for example one row of a batch.

    Returns:
        (height, width, 3) uint8; the frame itself if it has that size already and no ``out`` is given.
    """
    height, width = size_hw
    if out is None and frame.shape[:2] == size_hw:
        return frame
    smaller = min(height, frame.shape[0]), min(width, frame.shape[1])
    if smaller not in ((height, width), frame.shape[:2]):
        # One side shrinks and the other grows; OpenCV's INTER_AREA would not average then.
        frame = np.asarray(cv2.resize(frame, smaller[::-1], interpolation=cv2.INTER_AREA), np.uint8)
    how = cv2.INTER_AREA if smaller == (height, width) else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(frame, (width, height), dst=out, interpolation=how), np.uint8)


def _check_size(height: int, width: int) -> None:
    if height * width < 2:  # the OpenCV of Ubuntu 22.04 cannot process a single pixel
        raise FrameError("size", f"image of {width}x{height} pixels")
    if height * width > MAX_PIXELS:
        raise FrameError(
            "huge", f"image of {width}x{height} pixels; the limit is {MAX_PIXELS // 1_000_000} megapixels"
        )
    if max(height, width) > MAX_SIDE:
        raise FrameError("huge", f"image of {width}x{height} pixels; the limit of a side is {MAX_SIDE}")
