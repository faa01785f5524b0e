"""A stranger uses the studio by clicks alone, and no reload, other tab or crash costs a training."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.studio.chromium.conftest import Served


def open_set(page: Page) -> None:
    """Open the only data set, unless that has been done, and see that its pictures are listed."""
    page.get_by_role("link", name="Data", exact=True).click()
    known = page.get_by_role("link", name="my signs")
    (known if known.count() else page.get_by_role("button", name="Open").first).click()
    expect(page.get_by_text("3 classes (Go, Stop, Yield)")).to_be_visible()


def ask_for_training(page: Page, epochs: int) -> None:
    """Choose what to learn from and how."""
    page.get_by_role("link", name="Train", exact=True).click()
    page.get_by_role("link", name="my signs").click()
    page.get_by_role("link", name="finetune_signs").click()
    page.get_by_label("Epochs").fill(str(epochs))
    page.get_by_label("Pictures a step").fill("8")
    page.get_by_label("Name").fill("first")
    page.get_by_role("button", name="Train", exact=True).click()


def state(page: Page, name: str) -> None:
    expect(page.get_by_role("status").get_by_text(name, exact=True)).to_be_visible()


def test_from_a_folder_of_pictures_to_a_model_that_reads_one(page: Page, own_signs: Path) -> None:
    open_set(page)
    expect(page.locator(".picture img").first).to_have_js_property("complete", True)
    assert page.locator(".picture img").first.evaluate("image => image.naturalHeight") > 0
    ask_for_training(page, 20)
    state(page, "done")
    expect(page.get_by_text("20 of 20 epochs")).to_be_visible()

    page.get_by_role("link", name="Try", exact=True).click()
    upload = page.get_by_role("region", name="A file")
    upload.get_by_label(re.compile("Picture, video or bag")).set_input_files(own_signs / "Stop" / "0.png")
    own = upload.locator("[name=signs] option", has_text="signs.onnx").last
    upload.locator("[name=signs]").select_option(own.get_attribute("value"))
    upload.locator("[name=segmentation]").select_option("none")
    upload.get_by_label(re.compile("What finds signs")).select_option("frame")
    upload.get_by_role("button", name="Try it").click()
    state(page, "done")
    row = page.get_by_role("region", name="Signs").get_by_role("row").last
    expect(row).to_contain_text("Stop")


def test_a_training_outlives_reloads_tabs_and_the_server(page: Page, served: Served) -> None:
    open_set(page)
    ask_for_training(page, 500)
    other = page.context.new_page()
    other.goto(page.url)
    expect(page.get_by_text(re.compile(r"[1-9]\d* of 500 epochs"))).to_be_visible()
    page.reload()
    state(page, "running")

    served.kill()
    served.start()
    before = int(re.findall(r"(\d+) of 500", page.get_by_role("status").inner_text())[0])
    page.reload()
    expect(
        page.get_by_text(re.compile(rf"({'|'.join(str(before + k) for k in range(1, 99))}) of 500"))
    ).to_be_visible()

    other.reload()
    other.get_by_role("button", name="Stop").click()
    state(page, "stopped")  # without another click in this tab
    expect(page.get_by_role("button", name="Go on from the last epoch")).to_be_visible()


def test_without_javascript_data_runs_and_models_can_be_looked_at_and_a_file_given(
    chromium: Browser, page: Page, own_signs: Path
) -> None:
    open_set(page)
    with chromium.new_context(java_script_enabled=False) as context:
        plain = context.new_page()
        plain.goto(page.url)
        expect(plain.locator(".picture")).to_have_count(30)
        plain.get_by_role("combobox", name="Class").select_option("Stop")
        plain.get_by_role("button", name="Show").click()
        expect(plain.locator(".picture")).to_have_count(10)
        plain.locator(".picture").first.click()
        expect(plain.get_by_text("to learn from")).to_be_visible()
        plain.get_by_role("link", name="Runs and models").click()
        plain.get_by_role("link", name="track.onnx").click()
        expect(plain.get_by_text("Sidewalk").or_(plain.get_by_text("classes"))).to_be_visible()
        plain.get_by_role("link", name="Jobs").click()
        expect(plain.get_by_role("heading", name="Jobs")).to_be_visible()
        plain.get_by_role("link", name="Try", exact=True).click()
        upload = plain.get_by_role("region", name="A file")
        upload.get_by_label(re.compile("Picture, video or bag")).set_input_files(own_signs / "Go" / "3.png")
        upload.get_by_role("button", name="Try it").click()
        expect(plain.get_by_role("heading", name="3.png")).to_be_visible()


def test_the_webcam_is_answered(page: Page) -> None:
    page.get_by_role("link", name="Try", exact=True).click()
    webcam = page.get_by_role("region", name="The webcam")
    webcam.locator("[name=signs]").select_option("none")
    webcam.get_by_role("button", name="Start").click()
    expect(webcam.get_by_role("status")).to_contain_text(re.compile(r"ms in all.*segmentation"))
    expect(webcam.get_by_role("status")).not_to_contain_text("signs")
    webcam.locator("[name=segmentation]").select_option("none")  # while it runs
    expect(webcam.get_by_role("alert")).to_contain_text("all models are left out")
    expect(webcam.get_by_role("button", name="Start")).to_be_visible()
    webcam.locator("[name=segmentation]").select_option(label="track.onnx")
    webcam.get_by_role("button", name="Start").click()
    expect(webcam.get_by_role("alert")).to_be_empty()
    assert webcam.get_by_role("img").evaluate("image => image.naturalWidth") == 640
    webcam.get_by_role("button", name="Stop").click()
    expect(webcam.get_by_role("button", name="Start")).to_be_visible()
