"""Fault points act once, on whoever reaches them first."""

import subprocess
import sys
from pathlib import Path

import pytest

from neonhub import faults


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(faults, "_FOLDER", str(tmp_path))
    return tmp_path


def test_off_they_do_nothing(tmp_path: Path) -> None:
    (tmp_path / "here").write_text("fail")
    faults.reach("here")


def test_an_armed_point_fails_once(folder: Path) -> None:
    (folder / "here").write_text("fail")
    faults.reach("there")
    with pytest.raises(faults.InjectedFault, match="here"):
        faults.reach("here")
    faults.reach("here")


def test_a_point_may_stall(folder: Path) -> None:
    (folder / "here").write_text("stall 0")
    faults.reach("here")
    assert not (folder / "here").exists()


def test_a_point_may_kill(tmp_path: Path) -> None:
    (tmp_path / "here").write_text("kill")
    code = "from neonhub.faults import reach; reach('here'); print('alive')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"NEONHUB_FAULTS": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
    )
    assert (done.returncode, done.stdout) == (-9, b"")
