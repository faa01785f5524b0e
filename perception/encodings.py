"""Encodings of raw images: how the bytes of each lie, and how they become BGR.

Names as in sensor_msgs/image_encodings.hpp; nv12, nv16, nv42 and nv61 are siblings of its nv21 and nv24.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.errors import FrameError

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Encoding:
    """One encoding with 8 bits a channel.

    Attributes:
        pixel_bytes: bytes of a pixel in the first plane.
        conversion: OpenCV's conversion to BGR, or a function that takes the same (rows, step) bytes, height
            and width; None if the bytes are BGR already.
        half_rows: rows of ``step`` bytes for every two rows of the picture, over all planes.
        paired: (rows, columns) of the picture that must be multiples of these.
    """

    pixel_bytes: int
    conversion: int | Callable[[Pixels, int, int], Pixels] | None
    half_rows: int = 2
    paired: tuple[int, int] = (1, 1)


def _semi_planar(data: Pixels, height: int, width: int, *, columns: int) -> tuple[Pixels, Pixels]:
    """Y, and a plane of as many rows with two chroma bytes for each of so many columns."""
    return data[:height, :width], data[height:].reshape(height, -1)[:, : 2 * columns]


def _chroma_for_two(conversion: int) -> Callable[[Pixels, int, int], Pixels]:
    """nv16 and nv61: two pixels of a row share their chroma. Interleaved, that is a packed encoding."""

    def convert(data: Pixels, height: int, width: int) -> Pixels:
        luma, chroma = _semi_planar(data, height, width, columns=width // 2)
        return np.asarray(cv2.cvtColor(cv2.merge([luma, chroma]), conversion), np.uint8)

    return convert


def _chroma_for_each(conversion: int) -> Callable[[Pixels, int, int], Pixels]:
    """nv24 and nv42: every pixel has its own chroma.

    OpenCV converts such pixels by another formula than the other YUV encodings of cameras (BT.601, video
    range). So each becomes two equal ones of a packed encoding.
    """

    def convert(data: Pixels, height: int, width: int) -> Pixels:
        luma, chroma = _semi_planar(data, height, width, columns=width)
        packed = np.empty((height, width, 4), np.uint8)
        cv2.mixChannels([luma, chroma.reshape(height, width, 2)], [packed], [0, 0, 1, 1, 0, 2, 2, 3])
        twins = cv2.cvtColor(packed.reshape(height, 2 * width, 2), conversion)
        bgr = np.empty((height, width, 3), np.uint8)
        cv2.mixChannels([twins.reshape(height, width, 6)], [bgr], [0, 0, 1, 1, 2, 2])
        return bgr

    return convert


_UYVY = Encoding(2, cv2.COLOR_YUV2BGR_UYVY, paired=(1, 2))
_YUYV = Encoding(2, cv2.COLOR_YUV2BGR_YUY2, paired=(1, 2))

ENCODINGS: dict[str, Encoding] = {
    "bgr8": Encoding(3, None),
    "8UC3": Encoding(3, None),
    "rgb8": Encoding(3, cv2.COLOR_RGB2BGR),
    "bgra8": Encoding(4, cv2.COLOR_BGRA2BGR),
    "8UC4": Encoding(4, cv2.COLOR_BGRA2BGR),
    "rgba8": Encoding(4, cv2.COLOR_RGBA2BGR),
    "mono8": Encoding(1, cv2.COLOR_GRAY2BGR),
    "8UC1": Encoding(1, cv2.COLOR_GRAY2BGR),
    # OpenCV names a pattern after its second row, starting at the second column.
    "bayer_rggb8": Encoding(1, cv2.COLOR_BayerBG2BGR),
    "bayer_bggr8": Encoding(1, cv2.COLOR_BayerRG2BGR),
    "bayer_gbrg8": Encoding(1, cv2.COLOR_BayerGR2BGR),
    "bayer_grbg8": Encoding(1, cv2.COLOR_BayerGB2BGR),
    "yuv422": _UYVY,
    "uyvy": _UYVY,
    "yuv422_yuy2": _YUYV,
    "yuyv": _YUYV,
    # Full-size Y, then a plane with U and V alternating, or V and U
    "nv12": Encoding(1, cv2.COLOR_YUV2BGR_NV12, half_rows=3, paired=(2, 2)),
    "nv21": Encoding(1, cv2.COLOR_YUV2BGR_NV21, half_rows=3, paired=(2, 2)),
    "nv16": Encoding(1, _chroma_for_two(cv2.COLOR_YUV2BGR_YUY2), half_rows=4, paired=(1, 2)),
    "nv61": Encoding(1, _chroma_for_two(cv2.COLOR_YUV2BGR_YVYU), half_rows=4, paired=(1, 2)),
    "nv24": Encoding(1, _chroma_for_each(cv2.COLOR_YUV2BGR_YUY2), half_rows=6),
    "nv42": Encoding(1, _chroma_for_each(cv2.COLOR_YUV2BGR_YVYU), half_rows=6),
}

_DEEP = re.compile(r"(mono|rgb|bgr|rgba|bgra|bayer_.*)16|(8S|16[USF]|32[SF]|64F)(C\d*)?")
_COLOURLESS = re.compile(r"8UC?\d*")


def is_unknown(encoding: str) -> bool:
    """The name is none of sensor_msgs', so that another library might know it."""
    return not (encoding in ENCODINGS or _DEEP.fullmatch(encoding) or _COLOURLESS.fullmatch(encoding))


def refusal(encoding: str) -> FrameError:
    """Why an encoding that is not in ``ENCODINGS`` cannot be used.

    Returns:
        The error with reason depth or encoding.
    """
    if _DEEP.fullmatch(encoding):
        return FrameError(
            "depth", f"encoding {encoding!r} is not unsigned 8 bit; set the camera driver to bgr8 or rgb8"
        )
    if _COLOURLESS.fullmatch(encoding):
        return FrameError(
            "encoding",
            f"encoding {encoding!r} does not say which colours its values are; set the camera driver to bgr8",
        )
    return FrameError(
        "encoding", f"encoding {encoding!r} is unknown; these are known: {', '.join(ENCODINGS)}"
    )
