"""The room Data: what a data set was taken for, its pictures, and what is suspicious."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import cv2
import numpy as np

from tests.studio.browser import Browser


def opened(browser: Browser, path: Path) -> str:
    where = browser.press("/data", path=str(path))
    browser.wait(where, lambda text: "being listed" not in text)
    return where


def test_a_folder_is_found_and_opened(browser: Browser, signs: Path) -> None:
    assert str(signs) in browser.page("/data")  # among those that look like data sets
    where = opened(browser, signs)
    text = browser.page(where)
    assert "3 classes" in text and "30 pictures" in text
    counts = re.findall(
        r'class=\d">(\w+)</a></th><td class="number">(\d+)</td><td class="number">(\d+)', text
    )
    assert counts == [("Go", "9", "1"), ("Stop", "9", "1"), ("Yield", "9", "1")]
    assert text.count('class="picture"') == 30
    browser.press(f"{where}/forget")
    assert "No data set has been opened yet" in browser.page("/data")
    assert signs.is_dir()


def test_pictures_are_filtered_and_loaded_piece_by_piece(browser: Browser, signs: Path) -> None:
    for number in range(10, 80):
        shutil.copy(signs / "Go" / "0.png", signs / "Go" / f"{number}.png")
    where = opened(browser, signs)
    text = browser.page(where)
    assert text.count('class="picture"') == 60
    rest = re.search(r'hx-get="([^"]+)"\s+hx-trigger="revealed"', text)
    assert rest is not None
    more = browser.get(rest[1].replace("&amp;", "&"), headers={"hx-request": "true"}).text
    assert more.count('class="picture"') == 40 and "<html" not in more
    assert browser.page(f"{where}?class=1").count('class="picture"') == 10
    assert browser.page(f"{where}?class=1&part=val").count('class="picture"') == 1
    assert browser.page(f"{where}?part=nowhere", status=422)


def test_labels_lie_over_pictures_as_strongly_as_asked_for(tmp_path: Path) -> None:
    root = tmp_path / "street"
    for kind, value in (("images", 0), ("masks", 1)):
        (root / kind).mkdir(parents=True)
        for number in range(10):
            cv2.imwrite(str(root / kind / f"{number}.png"), np.full((30, 40), value, np.uint8))
    classes = '[{"name": "a", "color": [0, 0, 0]}, {"name": "b", "color": [250, 0, 0]}]'
    (root / "classes.json").write_text(classes)
    with Browser(tmp_path / "s", tmp_path) as browser:
        where = opened(browser, root)
        red = []
        for kind in ("small", "picture"):
            for opacity in (0.0, 0.5, 1.0):
                data = browser.get(f"{where}/{kind}/3?opacity={opacity}").content
                frame = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
                assert frame.shape[:2] == (30, 40)
                red.append(round(float(frame[..., 2].mean()) / 50))
        assert red == [0, 2, 5, 0, 2, 5]
        text = browser.page(f"{where}/3")
        assert "40×30 px" in text and "to learn from" in text and ">b<" in text


def test_what_check_says_is_beside_the_pictures(browser: Browser, signs: Path) -> None:
    (signs / "Go" / "0.png").write_bytes(b"no picture")
    where = opened(browser, signs)
    text = browser.page(where)
    assert "python -m training check" in text  # the command that the button runs
    job = browser.press(f"{where}/check")
    browser.wait(job, lambda text: re.search(r'"state (done|failed)"', text) is not None)
    page = browser.page(job)
    assert "unreadable pictures" in page and f'href="{where}"' in page  # the way back
    text = browser.page(f"{where}?suspicious=true")
    assert text.count('class="picture suspicious"') == 1 and "unreadable pictures" in text
    assert browser.get(f"{where}/small/0").status_code == 200  # grey, because it cannot be read


def test_a_drive_is_no_data_set(browser: Browser, signs: Path) -> None:
    drive = signs.parent / "drive"
    (drive / "images").mkdir(parents=True)
    (drive / "catalog_0.catalog").write_text("{}")
    assert f"<code>{drive}</code>" not in browser.page("/data")
    (drive / "catalog_0.catalog").unlink()
    assert f"<code>{drive}</code>" in browser.page("/data")


def test_a_folder_that_is_no_data_set_says_why(browser: Browser, signs: Path) -> None:
    (signs.parent / "empty").mkdir()
    where = browser.press("/data", path=str(signs.parent / "empty"))
    text = browser.wait(where, lambda text: 'role="alert"' in text)
    assert "0 class folders; a classifier needs at least two" in text
    assert browser.press("/data", path=str(signs / "Go" / "0.png"), status=400)


def test_addresses_that_lead_nowhere_are_pages_as_well(browser: Browser, signs: Path) -> None:
    where = opened(browser, signs)
    for path in ("/data/nothing", f"{where}/999", f"{where}/small/999", "/jobs/99", "/train/99", "/no/room"):
        assert "<h1>" in browser.page(path, status=404)
    browser.press(f"{where}/explode", status=404)
