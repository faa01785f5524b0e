"""axe finds no serious fault of accessibility in any room, light or dark, wide or narrow."""

from __future__ import annotations

import json

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.studio.chromium.conftest import Served
from tests.studio.chromium.test_stranger import open_set

SERIOUS = ("serious", "critical")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 400)])
def test_no_serious_fault_in_any_room(page: Page, served: Served, scheme: str, width: int) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    open_set(page)
    set_id = page.url.rpartition("/")[2]
    rooms = ["data", f"data/{set_id}", f"data/{set_id}/0", f"train?set={set_id}&config=signs"]
    for room in [*rooms, "models", "try", "live", "jobs"]:
        page.goto(f"{served.address}/{room}")
        found = Axe().run(page).response["violations"]
        bad = {one["id"]: [n["html"] for n in one["nodes"]] for one in found if one["impact"] in SERIOUS}
        assert not bad, f"{room}: {json.dumps(bad, indent=1)}"
        wide = page.evaluate(
            "[...document.querySelectorAll('main *')].filter(one => one.getBoundingClientRect().right > "
            "innerWidth && !one.closest('.wide') && !one.closest('.hidden')).map(one => one.outerHTML)"
        )
        assert not wide, f"{room} is wider than the window: {wide[0]}"
