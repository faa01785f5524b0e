"""Try: what is given is looked at by the documented command, and nothing else can be done with it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from perception.paths import shared
from perception.recordings.sources import open_source
from studio.rooms.tries import LARGEST
from studio.safety import CSRF, FIELD, HEADER
from tests.ros import ROOT
from tests.studio.browser import Browser

MODELS = shared("models")


@pytest.fixture
def street(tmp_path: Path) -> bytes:
    """A frame of the demo with two signs, as a JPEG."""
    frames = [shot.image for shot in open_source(ROOT / "demo" / "street").shots()]
    return cv2.imencode(".jpg", frames[50])[1].tobytes()


def give(browser: Browser, name: str, data: bytes, *, status: int = 303, **fields: str) -> str:
    """Upload a file as the page's script does."""
    browser.page("/try")
    answer = browser.post(
        "/try/upload",
        files={"file": (name, data)},
        data=fields,
        headers={HEADER: browser.cookies[CSRF]},
    )
    assert answer.status_code == status, answer.text
    return answer.headers.get("location", answer.text)


def done(text: str) -> bool:
    return 'class="state done"' in text


def test_a_picture_is_read_and_explained(browser: Browser, street: bytes) -> None:
    where = give(browser, "../street <1>.JPG", street)
    page = browser.wait(where, done)
    assert "street &lt;1&gt;.JPG" in page and "perception run" in page
    assert "Right of way at next crossing" in page and "Building" in page
    assert "total" in page  # how long each stage took
    assert browser.get(f"{where}/picture/0").headers["content-type"] == "image/jpeg"
    browser.page(f"{where}/picture/1", status=404)

    browser.press(f"{where}/explain", frame=0, thing=0)
    browser.press(f"{where}/explain", frame=0, thing=99, status=404)
    browser.press(f"{where}/explain", frame=0, label="; rm -rf /", status=404)
    page = browser.wait(where, lambda text: "what decides" in text)
    link = page.split('">what decides')[0].rsplit('href="', 1)[1].replace("&amp;", "&")
    assert "sign-1.png" in browser.page(link)
    model = browser.page(f"/models/file?path={MODELS / 'signs.onnx'}")
    assert "in frame 1 of street &lt;1&gt;.JPG" in model and link.split("=")[1] in model

    (folder,) = (browser.settings.state / "tries").iterdir()
    browser.press(f"{where}/forget")
    assert not folder.exists()
    browser.page(where, status=404)


def test_a_drive_on_this_machine_has_all_its_frames(browser: Browser, signs: Path) -> None:
    folder = signs.parent / "drive"
    folder.mkdir()
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((60, 80, 3), 80 * number, np.uint8))
    (folder / "1.png").write_bytes(b"broken")
    page = browser.wait(browser.press("/try", path=str(folder), signs="none"), done)
    assert "frame 1 of 2" in page and "given" not in page
    assert page.count("loading=") == 2
    browser.press("/try", path="/etc/passwd", status=404)
    browser.press("/try", path=str(folder), signs="/etc/passwd", status=404)
    browser.press("/try", path=str(folder), signs=str(MODELS / "segnet.onnx"), status=400)
    browser.press("/try", path=str(folder), signs="none", segmentation="none", status=400)
    browser.press("/try", path=str(folder), boxes="rois", status=404)
    browser.press("/try", path=str(folder), boxes=str(MODELS / "signs.onnx"), status=400)


def test_what_cannot_be_used_is_refused_and_leaves_nothing(browser: Browser, street: bytes) -> None:
    assert "no picture, video or bag" in give(browser, "model.pkl", b"1", status=400)
    page = browser.wait(give(browser, "broken.png", b"broken"), lambda text: 'class="state failed"' in text)
    alert = page.split('role="alert">')[1].split("<")[0]
    assert "not one usable frame" in alert  # in the words of the command
    browser.page("/try")
    for field in ({}, {FIELD: ""}, {FIELD: "x" * 43}, {"later": "1", FIELD: browser.cookies[CSRF]}):
        without = browser.post("/try/upload", files={"file": ("a.jpg", street)}, data=field)
        assert without.status_code == 403, field
    headers = {HEADER: browser.cookies[CSRF], "Content-Length": str(LARGEST + 1)}
    assert browser.post("/try/upload", content=b"", headers=headers).status_code == 413
    assert len(list((browser.settings.state / "tries").iterdir())) == 1


def test_a_form_without_a_script_is_read_as_well(browser: Browser, street: bytes) -> None:
    browser.page("/try")
    fields = {FIELD: browser.cookies[CSRF], "signs": "none", "segmentation": str(MODELS / "track.onnx")}
    answer = browser.post("/try/upload", files={"file": ("a.jpg", street)}, data=fields)
    assert answer.status_code == 303, answer.text
    page = browser.wait(answer.headers["location"], done)
    assert "frame 1 of 1" in page and "--signs none" in page and "track.onnx" in page

    def parts() -> Iterator[bytes]:  # its length is not said
        yield f'--x\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{fields[FIELD]}\r\n'.encode()
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="b.jpg"\r\n\r\n'
        yield from (street, b"\r\n--x--\r\n")

    kind = {"content-type": "multipart/form-data; boundary=x"}
    assert browser.post("/try/upload", content=parts(), headers=kind).status_code == 303


def test_frames_of_a_webcam_are_answered_as_they_come(browser: Browser, street: bytes) -> None:
    browser.page("/try")
    headers = {HEADER: browser.cookies[CSRF]}
    for _ in range(3):
        answer = browser.post("/try/camera?stream=1", content=street, headers=headers)
        assert answer.status_code == 200
    content = answer.json()
    assert any("Right of way" in caption for caption in content["signs"])
    assert content["ms"]["total"] > 0
    kind, data = content["picture"].split(",")
    assert kind == "data:image/jpeg;base64"
    drawn = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    assert drawn.shape == cv2.imdecode(np.frombuffer(street, np.uint8), cv2.IMREAD_COLOR).shape
    chosen = {"stream": "1", "signs": "none", "segmentation": str(MODELS / "track.onnx")}
    other = browser.post("/try/camera", params=chosen, content=street, headers=headers).json()
    assert (
        other["signs"] == [] and "segmentation" in str(other["ms"]) and other["picture"] != content["picture"]
    )
    chosen["segmentation"] = "none"
    refused = browser.post("/try/camera", params=chosen, content=street, headers=headers)
    assert refused.status_code == 400 and "all models are left out" in refused.json()["error"]
    broken = browser.post("/try/camera?stream=1", content=b"broken", headers=headers)
    assert broken.status_code == 400 and "cannot be used" in broken.json()["error"]
    assert browser.post("/try/camera?stream=1", content=street, headers=headers).status_code == 200
