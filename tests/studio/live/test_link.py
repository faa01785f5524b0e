"""Where ROS 2 is not installed, one room says so and all others work."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.studio.browser import Browser


def test_without_ros_this_room_says_so_and_the_others_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in [
        name for name in sys.modules if name.startswith(("studio.live.graph", "studio.live.watched"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rclpy", None)
    with Browser(tmp_path) as browser:
        text = browser.page("/live")
        assert "needs ROS 2" in text and "make setup" in text
        assert "<form" not in text and "/live/state" not in text
        for path in ("/live/state", "/live/node?name=/signs", "/live/stream?topic=/image_raw"):
            assert "needs ROS 2" in browser.page(path, status=400)
        assert "needs ROS 2" in browser.press("/live/record", name="drive", status=400)
        for path in ("/data", "/train", "/models", "/try", "/jobs"):
            browser.page(path)
