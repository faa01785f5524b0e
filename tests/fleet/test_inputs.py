"""Which drives are meant, what their folders are called, and where they are read."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from perception.commands.cli import main
from perception.errors import InputError
from perception.fleet.inputs import drives, fetched, place


def names(*inputs: object) -> list[str]:
    return [drive.name for drive in drives([place(str(given)) for given in inputs])]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name in ("mon/2.mcap", "mon/10.mcap", "tue/2.mcap", "tue/deep/3.db3", "odd/[1].mcap", "bag/a.mcap"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path


def test_a_folder_that_is_given_as_a_dot_has_its_own_name(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(files / "bag")
    assert names(".") == ["bag"]
    monkeypatch.chdir(files / "tue" / "deep")
    assert names("..") == ["tue"]
    (files / "bag" / "a#1?.mcap").touch()
    assert names(files / "bag" / "a#1?.mcap") == ["a#1?"]


def test_two_drives_never_share_a_folder(files: Path) -> None:
    for name in ("a_b/c.mcap", "a/b_c.mcap", "x/c.mcap", "x/c.db3"):
        (files / name).parent.mkdir(exist_ok=True)
        (files / name).touch()
    with pytest.raises(InputError, match=r"c\.mcap: another drive's results would be in .*a_b_c\.mcap, too"):
        names(*(files / name for name in ("a_b/c.mcap", "a/b_c.mcap", "x/c.mcap", "x/c.db3")))


@pytest.fixture
def server(files: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(files))) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


def test_drives_are_named_after_their_files_and_folders(files: Path) -> None:
    assert names(files / "mon/*.mcap") == ["2", "10"]  # they are counted
    assert names(files / "mon/*.mcap", files / "tue/2.mcap", files / "bag") == [
        "mon_2",
        "mon_10",
        "tue_2",
        f"{files.name}_bag",
    ]
    assert names(files / "**/*.db3", files / "odd/[1].mcap") == ["3", "[1]"]
    assert names("s3://fleet/car1/run.v2", "https://host/car2/drive.mcap.zstd?version=3") == [
        "run.v2",
        "drive",
    ]
    (files / "mon/2.db3").touch()
    assert names(files / "mon/2.mcap", files / "mon/2.db3")[1].endswith("mon_2.db3")


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        (["gone.mcap"], "gone.mcap: no such file"),
        (["*.gone"], "no file or folder fits this pattern"),
        (["mon/2.mcap", "mon/*.mcap"], "given 2 times"),
    ],
)
def test_what_is_no_drive_is_named(
    files: Path, inputs: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(files)
    with pytest.raises(InputError, match=re.escape(said)):
        names(*inputs)


def test_a_drive_is_fetched_and_gone_afterwards(server: str, files: Path) -> None:
    pytest.importorskip("fsspec", reason="the extra fleet is not installed")
    with fetched(f"{server}/mon/10.mcap") as path:
        assert (path.name, path.read_text()) == ("10.mcap", "mon/10.mcap")
    assert not path.exists()
    with fetched(f"file://{files}/tue") as path:
        assert (path.name, (path / "deep/3.db3").read_text()) == ("tue", "tue/deep/3.db3")
    with fetched(str(files / "tue")) as path:
        assert path == files / "tue"
    assert names(f"file://{files}/mon/*.mcap") == ["2", "10"]
    for url in (f"{server}/gone.mcap", "nothing://host/drive.mcap"):
        with pytest.raises(InputError, match=re.escape(f"{url}: cannot be read")), fetched(url):
            pass


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "s3://fleet/drive.mcap"], "s3://fleet/drive.mcap: a URL is read with --ray only"),
        (["run", "drive.mcap", "--workers", "2"], "--workers is for many drives; give --ray"),
        (["run", "drive.mcap", "--address", "head:6379"], "--address is for many drives; give --ray"),
        (["run", "drive.mcap", "--ray", "--models", "a", "b"], "--models compares on one machine"),
        (["evaluate", "drive.mcap", "--expect", "e.yaml"], "--out is for --ray"),
        (["evaluate", "drive.mcap", "--write-expect", "e.yaml", "--ray"], "--write-expect takes one drive"),
        (["evaluate", "drive.mcap", "--expect", "e.yaml", "--ray", "--jobs", "2"], "give --workers instead"),
    ],
)
def test_options_that_contradict_each_other(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--out", "out"]) == 1
    assert said in capsys.readouterr().err


def test_ray_is_imported_where_it_is_asked_for_alone(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], models: list[str]
) -> None:
    code = "import sys, perception.commands.cli; print({'ray', 'pyarrow', 'fsspec'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["run", str(files / "bag"), "--ray", "--out", str(files / "out"), *models]) == 1
    assert "--ray needs Ray" in (said := capsys.readouterr().err) and ".[fleet]" in said
