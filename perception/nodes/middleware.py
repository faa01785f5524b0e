"""What the middleware needs to carry frames."""

from __future__ import annotations

import os

from perception.places import shared


def carry_large_messages() -> None:
    """Let this process publish best-effort messages over 512 kB, which Fast DDS loses as it is set up.

    Call it before ``rclpy.init``; Fast DDS reads it once. A profile that the user has chosen stays.
    """
    os.environ.setdefault("FASTRTPS_DEFAULT_PROFILES_FILE", str(shared("config/fastdds.xml")))
