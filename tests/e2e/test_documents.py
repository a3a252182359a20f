"""The commands in the documents do what they say when they are pasted."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documents import DOCUMENTS, README, Block, blocks
from tests.e2e.running import RunningSystem

ERRORS = "Errors"
"""The heading of the one command that is meant to be refused."""

SECONDS = 120

WITH_COMMANDS = [document for document in DOCUMENTS if blocks(document, "bash")]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    """A started system; each document begins and leaves it as it found it."""
    with RunningSystem(tmp_path_factory.mktemp("system")) as system:
        yield system


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that looks like a clone to the commands: with `.venv` and nothing else."""
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


def paste(commands: list[Block], system: RunningSystem, folder: Path, *, curl_options: str) -> str:
    """Run blocks in one shell, as someone would who pastes them one after another."""
    (folder / ".curlrc").write_text(curl_options)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    script = "\n".join(block.text for block in commands)
    ours = {"NEONHUB_URL": system.url, "NEONHUB_DATA_DIR": str(system.folder / ".neonhub")}
    done = subprocess.run(
        ["bash", "-e", "-u", "-o", "pipefail", "-c", script],
        env=os.environ | ours | {"CURL_HOME": str(folder), "PATH": path},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("document", WITH_COMMANDS, ids=lambda path: path.name)
def test_commands_work_when_pasted(document: Path, system: RunningSystem, folder: Path) -> None:
    commands = [block for block in blocks(document, "bash") if block.heading != ERRORS]
    said = paste(commands, system, folder, curl_options="fail-with-body\nsilent\nshow-error\n")
    if document == README:
        assert "agent:started" in said
        assert "agent:completed" in said


def test_the_wrong_command_is_answered_with_the_shape_of_errors(
    system: RunningSystem, folder: Path
) -> None:
    every = blocks(README, "bash")
    [names] = [block for block in every if block.heading == "The API with curl"]
    wrong = [block for block in every if block.heading == ERRORS]
    error = json.loads(paste([names, *wrong], system, folder, curl_options="silent\n"))
    assert error["code"] == 422
    assert "cronExpression" in error["errors"]["json"]
    assert error["requestId"]
