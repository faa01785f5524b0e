"""Names of new files, whatever was typed."""

from __future__ import annotations

import pytest

from studio.names import free, plain


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("my track 2", "my-track-2"),
        ("../../etc", "etc"),
        ("--out=/x", "out-x"),
        ("é.", "é"),
        ("", "new"),
        ("/", "new"),
    ],
)
def test_a_name_is_no_path_and_no_option(typed: str, name: str) -> None:
    assert plain(typed, "new") == name


def test_a_name_that_is_taken_gets_the_next_number() -> None:
    assert free("a", ()) == "a"
    assert free("a", {"a", "a-2", "b"}) == "a-3"
