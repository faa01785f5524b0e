"""Other sites, other machines and other folders stay out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from studio.folders import Folders
from studio.safety import CSRF, FIELD, LARGEST_FORM
from studio.settings import Settings, StudioError
from tests.studio.browser import Browser


def test_a_name_of_another_site_that_leads_here_gets_no_page(browser: Browser) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8000", ""):
        assert browser.get("/data", headers={"host": host}).status_code == 403
    for host in ("127.0.0.1:8000", "localhost:8000", "localhost", "[::1]:8000"):
        assert browser.get("/data", headers={"host": host}).status_code == 200


def test_a_change_without_the_token_of_the_page_changes_nothing(browser: Browser, signs: Path) -> None:
    browser.page("/data")
    for token in ("", "x" * 43, browser.cookies[CSRF][:-1], "é"):
        assert browser.post("/data", data={FIELD: token, "path": str(signs)}).status_code == 403
    assert browser.post("/data", content=b"\xff\xfe=%zz").status_code == 403
    fresh = Browser(browser.settings.state.parent, signs.parent)
    assert fresh.post("/data", data={FIELD: "x" * 43, "path": str(signs)}).status_code == 403
    assert "No data set has been opened yet" in browser.page("/data")


def test_a_change_that_another_site_asks_for_is_refused(browser: Browser, signs: Path) -> None:
    browser.page("/data")
    fields = {FIELD: browser.cookies[CSRF], "path": str(signs)}
    for origin in ("https://evil.example", "null", "http://127.0.0.1:9000"):
        answer = browser.post("/data", data=fields, headers={"origin": origin})
        assert answer.status_code == 403
    assert browser.post("/data", data=fields, headers={"origin": "http://127.0.0.1:8000"}).status_code == 303


def test_cookies_are_for_this_site_and_not_for_scripts(tmp_path: Path) -> None:
    browser = Browser(tmp_path / "s", tmp_path, token="secret")
    entered = browser.get("/enter?token=secret").headers["set-cookie"]
    first = browser.get("/data").headers["set-cookie"]
    for cookie in (entered, first):
        assert "httponly" in cookie.lower() and "samesite=strict" in cookie.lower()
        assert "secret" not in cookie


def test_without_the_token_of_the_start_there_is_nothing_to_see(tmp_path: Path) -> None:
    browser = Browser(tmp_path / "s", tmp_path, token="secret", host="0.0.0.0")
    for path in ("/data", "/enter", "/enter?token=", "/enter?token=secre", "/static/studio.css"):
        assert browser.get(path).status_code == 401
    assert browser.get("/enter?token=secret").headers["location"] == "/"
    assert browser.get("/data", headers={"host": "car.local:8000"}).status_code == 200
    with pytest.raises(StudioError, match=r"opens the studio to the network.*--token"):
        Settings(Folders([tmp_path]), state=tmp_path, runs=tmp_path, host="0.0.0.0")


def test_pages_load_and_run_nothing_from_elsewhere(browser: Browser) -> None:
    for path in ("/data", "/train", "/models", "/jobs", "/nothing"):
        answer = browser.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert not re.search(r"(src|href|action)=\"(https?:)?//", answer.text)
        assert not re.search(r"<script>|\son[a-z]+=|\sstyle=", answer.text)


@pytest.mark.parametrize("says_its_length", [True, False])
def test_more_than_a_form_is_not_read(browser: Browser, says_its_length: bool) -> None:
    browser.page("/data")
    part = b"x" * (LARGEST_FORM // 4)

    def endless() -> object:
        for _ in range(5):
            yield part

    body = part * 5 if says_its_length else endless()
    answer = browser.post("/data", content=body, headers={"x-csrf-token": browser.cookies[CSRF]})
    assert answer.status_code == 413


def test_nothing_outside_the_folders_is_read(browser: Browser, signs: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "a").mkdir(parents=True)
    link = signs.parent / "link"
    link.symlink_to(other)
    (signs.parent / "loop").symlink_to(signs.parent / "loop")
    for path in (other, link, signs.parent / "loop", signs / "../../other", "/etc", "\0", "a" * 5000):
        text = browser.press("/data", path=str(path), status=404)
        assert "start the studio with its folder" in text
    for path in ("/models/report", "/models/file", "/models/run"):
        assert browser.get(path, params={"path": "/etc/passwd"}).status_code == 404
    assert browser.get("/static/../settings.py").status_code == 404
    assert browser.get("/static/%2e%2e/settings.py").status_code == 404


def test_a_picture_that_a_data_set_names_elsewhere_is_not_shown(browser: Browser, signs: Path) -> None:
    secret = signs.parents[1] / "secret.png"
    secret.write_bytes((signs / "Go" / "0.png").read_bytes())
    (signs / "Go" / "11.png").symlink_to(secret)
    where = browser.press("/data", path=str(signs))
    assert "secret.png" not in browser.wait(where, lambda text: "being listed" not in text)
    assert "11.png is not in" in browser.page(where)


def test_names_and_logs_are_text(browser: Browser, signs: Path) -> None:
    evil = signs.parent / "<script>alert(1)</script>"
    for name in ("<b>a", "'b\""):
        (evil / name).mkdir(parents=True)
        for number in range(3):
            (evil / name / f"{number}.png").write_bytes((signs / "Go" / f"{number}.png").read_bytes())
    where = browser.press("/data", path=str(evil))
    text = browser.wait(where, lambda text: "being listed" not in text)
    assert "<script>alert" not in text and "<b>a" not in text
    assert "&lt;b&gt;a" in text
