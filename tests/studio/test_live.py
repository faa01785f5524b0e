"""The room Live beside real nodes: what it shows and changes, and that it goes when nobody looks."""

from __future__ import annotations

import re
import signal
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="this room needs ROS 2")

import uvicorn
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from sensor_msgs.msg import CompressedImage, Image
from starlette.testclient import TestClient
from vision_msgs.msg import Detection2DArray

from perception.recordings.bag import BagReader
from studio.jobs import DONE
from studio.live import graph
from studio.server import Server
from studio.shared import Studio
from tests.nodes.test_signs import FAR_BLUE, NEAR_GREEN, street
from tests.ros import Peer, image
from tests.ros_fixtures import peer, start
from tests.studio.browser import Browser

__all__ = ["peer", "start"]


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with Browser(tmp_path) as browser:
        yield browser
    browser.end()


@pytest.fixture
def nodes(start: Any, signs_model: Path, detector_model: Path, segmentation_model: Path) -> Any:
    """Both nodes in one process, with models that see colours."""
    models = {
        "signs:model": signs_model,
        "signs:detector": detector_model,
        "segmentation:model": segmentation_model,
    }
    return start("stack", *(f"{name}:={path}" for name, path in models.items()))


@pytest.fixture
def film(peer: Peer) -> Iterator[None]:
    """A camera of 10 Hz, as long as the test runs, before which two signs come and go."""
    publisher = peer.node.create_publisher(Image, "image_raw", 10)
    ended = threading.Event()

    def send() -> None:
        stamp = 0
        while not ended.wait(0.1):
            stamp += 100_000_000
            signs = (NEAR_GREEN, FAR_BLUE) if stamp % 4_000_000_000 < 2_500_000_000 else ()
            message = image(street(*signs))
            message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp + 10**9, 10**9)
            publisher.publish(message)

    thread = threading.Thread(target=send)
    thread.start()
    yield
    ended.set()
    thread.join()


def has(*words: str) -> Callable[[str], bool]:
    return lambda text: all(word in text for word in words)


def studio(browser: Browser) -> Studio:
    app: Any = browser.app
    return app._app.state.studio


def joined(browser: Browser) -> graph.Graph:
    """The studio's own part of the graph."""
    return studio(browser).live.graph()


def until(condition: Callable[[], Any], what: str, seconds: float = 20.0) -> Any:
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"waited for {what}"
        time.sleep(0.05)
    return value


def test_pictures_signs_and_health_of_running_nodes_are_shown(
    browser: Browser, nodes: Any, film: None
) -> None:
    streams = [f"/live/stream?topic=%2F{task}%2Foverlay" for task in ("signs", "segmentation")]
    browser.wait("/live", has(*streams, 'value="/image_raw"', 'value="/segmentation/mask"'))  # to be chosen
    shown = "/live/state?show=/signs/overlay&show=/image_raw"
    text = browser.wait(
        shown, has("320×240 bgr8", "Green, Blue</strong>", 'row">Green<', ">came", "segmentation:")
    )
    assert re.search(
        r"<td class=\"number\">\d+</td><th scope=\"row\">Green</th><td class=\"number\">[01]\.\d\d</td>", text
    )
    assert re.search(r"Green <small>came, track \d+</small>", text)
    assert re.search(r'lamp ok">ok</span>\s*<strong>signs: frames</strong> <span>\d+\.\d frames/s', text)
    chosen = browser.page("/live?show=/image_raw")
    assert chosen.count("/live/stream?") == 1
    jpeg = browser.get("/live/picture", params={"topic": "/image_raw"})
    picture = cv2.imdecode(np.frombuffer(jpeg.content, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (240, 320, 3)
    assert np.abs(picture[0, 0].astype(int) - 128).max() < 5
    browser.page("/live/picture?topic=/nothing", status=404)
    browser.page("/live/state?" + "&".join(["show=/image_raw"] * 5), status=422)


def test_a_stream_has_the_newest_pictures_and_nobody_looks_after_it(
    browser: Browser, peer: Peer, film: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "LEASE_S", 0.5)
    until(lambda: "/image_raw" in joined(browser).offered({"sensor_msgs/msg/Image"}), "the camera")
    config = uvicorn.Config(browser.app, port=0, log_level="error", lifespan="off")
    server = Server(config, studio(browser).live)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    port = until(lambda: server.started and server.servers[0].sockets[0].getsockname()[1], "the server")
    address = f"http://127.0.0.1:{port}/live/stream?topic=/image_raw"
    with urllib.request.urlopen(address, timeout=20) as stream:
        assert stream.headers["content-type"] == "multipart/x-mixed-replace; boundary=frame"
        for _ in range(3):
            assert stream.readline() == b"--frame\r\n"
            head = dict(line.split(b": ") for line in iter(lambda: stream.readline().strip(), b""))
            assert head[b"Content-Type"] == b"image/jpeg"
            jpeg = stream.read(int(head[b"Content-Length"]))
            assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape == (240, 320, 3)
            assert stream.readline() == b"\r\n"
        assert joined(browser).watched() == ["/image_raw"]
    until(lambda: not joined(browser).watched(), "the end of the subscription")
    with urllib.request.urlopen(address, timeout=20) as stream:
        server.handle_exit(signal.SIGINT, None)
        assert stream.read().endswith(b"--frame\r\n")  # to the end, and nothing is cut off
    thread.join()


def test_the_studio_leaves_the_graph_and_comes_back(
    browser: Browser, peer: Peer, film: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "IDLE_S", 1.5)
    own = ("studio", "/")
    browser.wait("/live", has("/live/stream?topic=%2Fimage_raw"))
    first = joined(browser)
    peer.until(lambda: own in peer.node.get_node_names_and_namespaces(), "the studio's node")
    peer.until(lambda: peer.node.count_subscribers("image_raw") == 0, "the end of its subscription")
    peer.until(lambda: own not in peer.node.get_node_names_and_namespaces(), "the end of its node")
    assert first.is_over
    browser.wait("/live/state?show=/image_raw", has("320×240 bgr8"))
    assert not joined(browser).is_over and joined(browser) is not first


def test_a_node_goes_through_its_lifecycle(browser: Browser, nodes: Any) -> None:
    where = "/live/node?name=%2Fsegmentation"
    until(lambda: "/segmentation" in joined(browser).nodes(), "the node")
    fields = {"node": "/segmentation"}
    browser.wait(where, has('<span class="state">active</span>', ">Deactivate</button>"))
    for transition, state in (
        ("deactivate", "inactive"),
        ("cleanup", "unconfigured"),
        ("configure", "inactive"),
        ("activate", "active"),
    ):
        assert browser.press("/live/transition", transition=transition, **fields) == where
        page = browser.page(where)
        assert f'<span class="state">{state}</span>' in page
        assert (">Activate</button>" in page) == (state == "inactive")
    text = browser.press("/live/transition", transition="configure", **fields, status=400)
    assert "/segmentation did not configure" in text and "It says: " in text
    for transition in ("deactivate", "cleanup"):
        browser.press("/live/transition", transition=transition, **fields)
    browser.press("/live/parameter", name="model", value="/nowhere/none.onnx", **fields)
    text = browser.press("/live/transition", transition="configure", **fields, status=400)
    assert "It says: /nowhere/none.onnx: no such file" in text
    browser.press("/live/transition", transition="explode", **fields, status=404)
    browser.press("/live/transition", transition="configure", node="/nobody", status=404)
    browser.press("/live/transition", transition="configure", node="/signs/../segmentation", status=404)


def test_parameters_are_set_as_their_type_and_the_node_may_refuse(browser: Browser, nodes: Any) -> None:
    until(lambda: "/segmentation" in joined(browser).nodes(), "the node")
    where = "/live/node?name=%2Fsegmentation"

    def press(name: str, value: str, status: int = 303) -> str:
        return browser.press("/live/parameter", node="/segmentation", name=name, value=value, status=status)

    before = browser.wait(where, has("stale_after", "0.1 to 3600"))
    assert re.search(r"<th scope=\"row\">image_transport</th><td>raw</td>", before)  # shown, but fixed
    assert press("stale_after", "7") == where
    assert press("mask_size", "model") == where
    after = browser.page(where)
    assert 'name="value" value="7.0"' in after and 'name="value" value="model"' in after
    assert "is no number" in press("stale_after", "soon", 400)
    assert "/segmentation refused" in press("stale_after", "-1", 400)
    assert "a model is loaded; deactivate and clean up first" in press("ground", "true", 400)
    assert "is no true or false" in press("ground", "maybe", 400)
    assert "no parameter" in press("image_transport", "compressed", 400)
    assert "no parameter" in press("nothing", "1", 400)
    assert 'name="value" value="7.0"' in browser.page(where)


def test_a_message_of_any_content_is_a_sentence_on_the_page(browser: Browser, peer: Peer) -> None:
    bad = image(street(NEAR_GREEN), encoding="<script>alert(1)</script>")
    health = DiagnosticStatus(name="<b>evil: frames", level=b"\x63", message="<img src=x>")
    messages: dict[str, Any] = {
        "/cut/image_raw": (Image, b"\x00\x01\x00\x00\x01"),
        "/strange/image_raw": (Image, bad),
        "/empty/image_raw/compressed": (CompressedImage, CompressedImage()),
        "/diagnostics": (DiagnosticArray, DiagnosticArray(status=[health])),
        "/signs/detections": (Detection2DArray, b"\x00\x01\x00\x00"),
    }
    publishers = {
        topic: (peer.node.create_publisher(kind, topic, 10), sent) for topic, (kind, sent) in messages.items()
    }

    def sent(text: str) -> str:
        for publisher, message in publishers.values():
            publisher.publish(message)
        return text

    pictures = [topic for topic in messages if "image_raw" in topic]
    where = "/live/state?" + "&".join(f"show={topic}" for topic in pictures)
    words = (
        "its bytes are no sensor_msgs/msg/Image",
        "is unknown; these are known",
        "without data",
        "lamp odd",
    )
    text = browser.wait(where, lambda text: has(*words)(sent(text)))
    assert "a message on signs/detections cannot be read" in text
    for wrong in ("<script>alert", "<b>evil", "<img src=x>"):
        assert wrong not in text
    assert "&lt;b&gt;evil" in text
    for topic in pictures:
        assert browser.get("/live/picture", params={"topic": topic}).content.startswith(b"\xff\xd8")


def test_a_drive_is_recorded(browser: Browser, film: None) -> None:
    until(lambda: "/image_raw" in joined(browser).offered({"sensor_msgs/msg/Image"}), "the camera")
    fields: dict[str, Any] = {"name": "../first drive", "topic": "/image_raw", "seconds": 1}
    assert browser.press("/live/record", **fields) == "/live"
    assert "record first-drive" in browser.page("/live/state")
    jobs = studio(browser).jobs
    job = until(lambda: next((job for job in jobs.latest(kind="live") if job.is_over), None), "the job", 60)
    assert job.state == DONE, jobs.tail(job.number)
    path = browser.settings.runs / "drives" / "first-drive.mcap"
    with BagReader(path) as bag:
        assert list(bag.topics) == ["/image_raw"]
    assert "--seconds 1" in browser.page(f"/jobs/{job.number}")
    assert "exists already" in browser.press("/live/record", **fields, status=400)
    assert "is not published" in browser.press("/live/record", **{**fields, "topic": "--out"}, status=400)


def test_foxglove_opens_what_a_bridge_offers(browser: TestClient) -> None:
    assert (
        "foxglove://open?ds=foxglove-websocket&amp;ds.url=ws%3A%2F%2Flocalhost%3A8765"
        in browser.get("/live").text
    )
    text = browser.get("/live", params={"host": "car.local"}).text
    assert "ds.url=ws%3A%2F%2Fcar.local%3A8765" in text
    assert not re.search(r"(src|href|action)=\"(https?:)?//", text)
    for host in ("car.local/x", "a b", '"><script>', "javascript:1"):
        assert browser.get("/live", params={"host": host}).status_code == 400
