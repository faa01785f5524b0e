"""Frames: every kind of camera message becomes an (H, W, 3) uint8 BGR array.

Only attributes are read, so messages of rclpy and of rosbags work alike. All 8-bit colour, grey,
Bayer and YUV encodings that cameras send are converted here. For any other, the caller may bring a
fallback such as cv_bridge.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.encodings import ENCODINGS, is_unknown, refusal
from perception.errors import FrameError
from perception.formats.jpeg_png import JPEG, PNG, inspect_jpeg, inspect_png
from perception.formats.tiff_webp import TIFF, inspect_tiff, inspect_webp, tiff_as_stored

Frame = NDArray[np.uint8]

MAX_PIXELS = 64_000_000
MAX_SIDE = 32_767  # px; the limits of OpenCV's drawing, scaling and JPEG are little higher

Fallback = Callable[[Any], NDArray[np.uint8]]  # reads an Image of an encoding that is unknown here


def from_image(msg: Any, *, fallback: Fallback | None = None) -> Frame:
    """Convert a sensor_msgs/Image.

    Args:
        msg: any object with ``height``, ``width``, ``encoding``, ``step`` and ``data`` (bytes,
            ``array.array``, memoryview or numpy).
        fallback: converts images of unknown encodings to (H, W, 3) uint8 BGR, or raises FrameError, whose
            message is then added to the reason.

    Returns:
        (H, W, 3) uint8 BGR, C-contiguous. For bgr8 without row padding it is a read-only view that
        keeps ``msg.data`` alive; do not alter the message while it is in use. All others are copies.

    Raises:
        FrameError: reason size, huge, depth, encoding, step or data.
    """
    height, width, encoding, step = int(msg.height), int(msg.width), str(msg.encoding), int(msg.step)
    _check_size(height, width)
    layout = ENCODINGS.get(encoding)
    if layout is None:
        if fallback is None or not is_unknown(encoding):
            raise refusal(encoding)
        return _by_fallback(msg, fallback)
    if height % layout.paired[0] or width % layout.paired[1]:
        raise FrameError("size", f"{width}x{height} pixels in {encoding}, which needs even numbers")
    row_bytes = width * layout.pixel_bytes
    if step < row_bytes:
        raise FrameError(
            "step", f"step is {step} bytes; a row of {width} pixels in {encoding} takes {row_bytes}"
        )
    rows = height * layout.half_rows // 2
    data = np.frombuffer(msg.data, np.uint8)
    if data.size != rows * step:
        raise FrameError("data", f"{data.size} bytes of data; {rows} rows of {step} bytes take {rows * step}")
    padded = data.reshape(rows, step)
    if callable(layout.conversion):
        return layout.conversion(padded, height, width)
    packed = padded[:, :row_bytes].reshape(rows, width, layout.pixel_bytes)
    if layout.conversion is not None:
        return np.asarray(cv2.cvtColor(packed, layout.conversion), np.uint8)
    frame = np.ascontiguousarray(packed)  # copies only where rows are padded
    frame.flags.writeable = False
    return frame


def _by_fallback(msg: Any, fallback: Fallback) -> Frame:
    try:
        frame = fallback(msg)
    except FrameError as error:
        raise FrameError("encoding", f"{refusal(str(msg.encoding))}; {error}") from error
    check(frame)
    if frame.shape[:2] != (msg.height, msg.width):
        raise FrameError("data", f"frame of shape {frame.shape} from an image of {msg.width}x{msg.height}")
    return np.ascontiguousarray(frame)


def from_compressed(msg: Any) -> Frame:
    """Decode a sensor_msgs/CompressedImage: JPEG, PNG, TIFF or WebP of 8 bit, any number of channels.

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
    """Decode a picture's data as ``from_compressed`` does; ``upright`` applies its orientation tag."""
    view = memoryview(data).cast("B")
    if not view:
        raise FrameError("data", "compressed image without data")
    kind, (depth, height, width) = _inspect(view)
    _check_size(height, width)
    if depth > 8:
        raise FrameError(
            "depth", f"compressed image of {depth} bits a channel; set the camera driver to 8 bit"
        )
    if not upright and bytes(view[:4]) in TIFF:
        view = tiff_as_stored(view)
    try:
        flags = cv2.IMREAD_COLOR | (0 if upright else cv2.IMREAD_IGNORE_ORIENTATION)
        picture = cv2.imdecode(np.frombuffer(view, np.uint8), flags)
    except cv2.error as error:
        raise FrameError(kind, f"compressed image is corrupt: {error.err}") from error
    shapes = [(height, width, 3)] + ([(width, height, 3)] if upright else [])
    if picture is None or picture.shape not in shapes:
        raise FrameError(kind, "compressed image is corrupt: OpenCV cannot decode it")
    return np.asarray(picture, np.uint8)


def _inspect(view: memoryview) -> tuple[str, tuple[int, int, int]]:
    """The reason that counts a corrupt picture of this kind; and its bits per channel, height and width."""
    head = bytes(view[:12])
    if head.startswith(JPEG):
        return "jpeg", inspect_jpeg(view)
    if head.startswith(PNG):
        return "data", inspect_png(view)
    if head.startswith(TIFF):
        return "data", inspect_tiff(view)
    if head.startswith(b"RIFF") and head.endswith(b"WEBP"):
        return "data", inspect_webp(view)
    raise FrameError("encoding", f"data starts with {head[:8]!r}, neither JPEG, PNG, TIFF nor WebP")


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
