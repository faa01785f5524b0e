import os
import signal
import sys
from pathlib import Path

from perception.doctor.host import Host, Ran, run


def test_a_program_that_is_missing_or_crashes_is_told_from_one_that_fails() -> None:
    assert run(("no-such-program-here",)) is None
    assert run((sys.executable, "-c", "print('yes')")) == Ran(0, "yes")
    failed = run((sys.executable, "-c", "import sys; print('a', file=sys.stderr); sys.exit('the last')"))
    assert failed == Ran(1, "", "the last")
    crashed = Host().python("import os; os.abort()")
    assert crashed is not None and crashed.code == -signal.SIGABRT


def test_files_are_read_below_the_root(tmp_path: Path) -> None:
    host = Host(tmp_path)
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/model").write_bytes(b"Pi \xff 5\0")
    for zone in (10, 2):
        (tmp_path / f"sys/zone{zone}").mkdir(parents=True)
        (tmp_path / f"sys/zone{zone}/temp").write_text(f"{zone}000\n")
    os.symlink(tmp_path / "sys/zone2", tmp_path / "sys/zone1")
    assert host.read("/proc/model") == "Pi \N{REPLACEMENT CHARACTER} 5"
    assert host.read("/proc/nothing") is host.number("/proc/model") is host.read("/proc") is None
    assert host.number("/sys/zone10/temp") == 10_000
    assert host.find("/sys/zone*/temp") == ["/sys/zone1/temp", "/sys/zone2/temp", "/sys/zone10/temp"]
