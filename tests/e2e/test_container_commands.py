"""The image's commands, run as another user in a clean environment, on PostgreSQL and Redis."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import psutil
import pytest
import requests
import yaml
from sqlalchemy.engine import make_url

from tests.e2e.image import Image, interpreter_for
from tests.e2e.running import END_SECONDS, all_gone, free_port
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
START_SECONDS = 20

Start = Callable[..., psutil.Popen]


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """The built image, in a folder that everyone may enter."""
    folder = Path(tempfile.mkdtemp(prefix="neonhub-image-"))
    folder.chmod(0o755)
    try:
        image = Image(folder, "")
        interpreter = interpreter_for(image.user)
        if interpreter is None:
            pytest.skip("no Python here can be run by another user")
        image = Image(folder, interpreter)
        image.build()
        yield image
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def env(image: Image, redis_url: str, postgres_url: str) -> dict[str, str]:
    """The environment of one service in compose, with this machine's servers."""
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    named = compose["services"]["web"]["environment"]
    places = {
        "DATABASE_URL": postgres_url + "&schema=public",
        "REDIS_URL": redis_url,
        "NEONHUB_DATA_DIR": str(image.folder / "data"),
        "HOST": "127.0.0.1",
        "PORT": str(free_port()),
    }
    assert set(named) == set(places)
    return image.env | places


@pytest.fixture
def start(image: Image, env: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    """Starts a role as the engine would; ends it with SIGTERM and sees that nothing is left."""
    with ExitStack() as stack:

        def start(*arguments: str) -> psutil.Popen:
            log = stack.enter_context((tmp_path / f"{arguments or 'all'}.log").open("wb"))
            process = psutil.Popen(
                image.command(*arguments),
                cwd=image.folder,
                env=env,
                user=image.user,
                stdout=log,
                stderr=log,
            )
            stack.callback(_end, process)
            return process

        yield start


@pytest.fixture(autouse=True)
def reachable_servers(redis_url: str, postgres_url: str, image: Image) -> Iterator[None]:
    """Let the other user through to the sockets of this run's servers."""
    socket = Path(redis_url.removeprefix("unix://"))
    folder = Path(str(make_url(postgres_url).query["host"]))
    paths = {socket, *socket.parents, folder, *folder.parents}
    modes = {path: path.stat().st_mode & 0o7777 for path in paths}
    if image.user != os.geteuid():
        for path, mode in modes.items():
            path.chmod(mode | (0o666 if path == socket else 0o011))
    yield
    for path, mode in modes.items():
        path.chmod(mode)


def test_each_role_comes_up_healthy_and_ends_when_asked(
    image: Image, env: dict[str, str], start: Start
) -> None:
    for role in ("web", "scheduler", "workers"):
        start(role)
    for role in ("web", "scheduler", "workers"):
        wait_until(partial(_is_healthy, image, env, role), seconds=START_SECONDS)
    answer = requests.get(f"http://127.0.0.1:{env['PORT']}/readyz", timeout=10)
    assert answer.status_code == 200


def test_all_in_one_comes_up_by_default(image: Image, env: dict[str, str], start: Start) -> None:
    del env["DATABASE_URL"], env["REDIS_URL"]
    start()
    wait_until(partial(_is_healthy, image, env, "web"), seconds=START_SECONDS)


@pytest.mark.parametrize("role", ["web", "scheduler", "workers"])
def test_a_role_that_does_not_run_is_not_healthy(
    image: Image, env: dict[str, str], role: str
) -> None:
    assert not _is_healthy(image, env, role)


def _is_healthy(image: Image, env: dict[str, str], role: str) -> bool:
    command = image.command("health", role)
    done = subprocess.run(
        command, cwd=image.folder, env=env, user=image.user, capture_output=True, check=False
    )
    return done.returncode == 0


def _end(process: psutil.Popen) -> None:
    everything = [process, *process.children(recursive=True)]
    process.terminate()
    process.wait(END_SECONDS)
    wait_until(lambda: all_gone(everything))
