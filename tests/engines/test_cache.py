"""Engines between two starts: kept as a whole, for one user, and taken only if they may be."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from perception.engines import cache
from perception.engines.cache import KEPT, Key

KEY = Key(model="ab12", tensorrt="tensorrt 10.3.0", gpu="Orin", capability="8.7", settings="")
ENGINE = bytes(range(256)) * 40
OTHER = 12345  # a user
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return KEY.path("segnet")


def test_what_was_kept_comes_back_and_is_private(path: Path) -> None:
    assert cache.load(path, KEY) is None
    cache.keep(path, KEY, ENGINE)
    assert cache.load(path, KEY) == ENGINE
    assert path.name.startswith("segnet-") and path.suffix == ".engine"
    assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o777 == 0o700
    assert list(path.parent.iterdir()) == [path]
    cache.keep(path, KEY, ENGINE[:10])
    assert cache.load(path, KEY) == ENGINE[:10]


@pytest.mark.parametrize("name", ["model", "tensorrt", "gpu", "capability", "settings"])
def test_all_that_an_engine_depends_on_is_in_its_name(path: Path, name: str) -> None:
    assert replace(KEY, **{name: "another"}).path("segnet") != path == KEY.path("segnet")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def change(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def begin_otherwise(path: Path) -> None:
    path.write_bytes(b'["sha256"]\n' + path.read_bytes())


def nest(path: Path) -> None:
    path.write_bytes(b"[" * 100_000 + b"\n" + path.read_bytes())


def open_to_all(path: Path) -> None:
    path.chmod(0o666)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (cut, "is damaged: its content is not what its SHA-256 says"),
        (change, "is damaged: its content is not what its SHA-256 says"),
        (empty, "is damaged: it does not begin as an engine does"),
        (begin_otherwise, "is damaged: it does not begin as an engine does"),
        (nest, "is damaged: it does not begin as an engine does"),
        (open_to_all, "other users may write to it, and an engine is code"),
    ],
)
def test_what_may_not_be_taken_is_named_and_removed(
    path: Path, harm: Callable[[Path], None], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    cache.keep(path, KEY, ENGINE)
    harm(path)
    assert cache.load(path, KEY) is None
    assert f"{path}: {said}; it is removed and built again" in caplog.text
    assert not path.exists()


def test_an_engine_under_another_ones_name(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    other = replace(KEY, gpu="Xavier")
    cache.keep(other.path("segnet"), other, ENGINE)
    other.path("segnet").rename(path)
    assert cache.load(path, KEY) is None
    assert "is of another model, GPU or TensorRT than its name says" in caplog.text


@as_root
def test_another_users_file(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache.keep(path, KEY, ENGINE)
    os.chown(path, OTHER, -1)
    assert cache.load(path, KEY) is None
    assert f"{path}: belongs to another user ({OTHER}), and an engine is code" in caplog.text
    assert not path.exists()


@as_root
def test_another_users_folder(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache.keep(path, KEY, ENGINE)
    os.chown(path.parent, OTHER, -1)
    assert cache.load(path, KEY) is None
    assert "cannot be used: belongs to another user; remove it, or set XDG_CACHE_HOME" in caplog.text
    with pytest.raises(PermissionError, match="belongs to another user; remove it, or set XDG_CACHE_HOME"):
        cache.keep(path, KEY, ENGINE)
    assert list(path.parent.iterdir()) == [path]


def test_a_link_is_not_followed(path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache.keep(path, KEY, ENGINE)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert cache.load(path, KEY) is None and str(path) in caplog.text
    os.mkfifo(path.with_name("pipe"))
    assert cache.load(path.with_name("pipe"), KEY) is None  # at once


def test_a_folder_that_others_may_enter_is_closed(path: Path) -> None:
    path.parent.mkdir(parents=True, mode=0o777)
    path.parent.chmod(0o777)
    cache.keep(path, KEY, ENGINE)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    path.parent.chmod(0o755)
    assert cache.load(path, KEY) == ENGINE and path.parent.stat().st_mode & 0o777 == 0o700


def test_a_full_disk_leaves_the_engine_that_is_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.keep(path, KEY, ENGINE)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=rf"No space left on device: '{path}'"):
        cache.keep(path, KEY, b"another")
    assert cache.load(path, KEY) == ENGINE and list(path.parent.iterdir()) == [path]


def test_those_unused_for_longest_are_removed(path: Path) -> None:
    keys = [replace(KEY, model=str(number)) for number in range(KEPT + 3)]
    for age, key in enumerate(keys):
        cache.keep(key.path("segnet"), key, ENGINE)
        os.utime(key.path("segnet"), (1_000_000 + age, 1_000_000 + age))
        if age == KEPT - 1:
            assert cache.load(keys[0].path("segnet"), keys[0])  # used just now
    left = path.with_name(".segnet.engine.unfinished-1")
    left.touch()
    os.utime(left, (1_000_000, 1_000_000))
    young = path.with_name(".segnet.engine.unfinished-2")
    young.touch()
    cache.keep(path, KEY, ENGINE)
    kept = {key.model for key in [*keys, KEY] if key.path("segnet").exists()}
    assert len(kept) == KEPT and {"0", keys[-1].model, KEY.model} <= kept and "1" not in kept
    assert young.exists() and not left.exists()
