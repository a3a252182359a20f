"""The embedded server: its folder, its lock, its life and its death."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.exceptions import AuthenticationError
from rq import Worker

from neonhub.errors import ConfigError
from neonhub.process import is_alive
from neonhub.redis import server_binary
from neonhub.redis.connect import connect
from neonhub.redis.embedded import RUNNING, EmbeddedServer, running_url
from neonhub.redis.queues import Job, hand_over
from tests.waiting import wait_until

ROOT = Path(__file__).parents[3]

HOLDER = """
import sys, time
from pathlib import Path
from neonhub.redis.embedded import RUNNING, EmbeddedServer, running_url
server = EmbeddedServer(Path(sys.argv[1]))
server.start()
print(server.process.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """A running server in a folder whose name needs quoting."""
    server = EmbeddedServer(tmp_path / 'a"b"c')
    server.start()
    yield server
    server.stop()


def test_it_answers_at_its_url(server: EmbeddedServer) -> None:
    with connect(server.url) as redis:
        assert redis.ping()


def test_it_refuses_to_forget(server: EmbeddedServer) -> None:
    with connect(server.url) as redis:
        assert redis.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
        assert redis.config_get("appendonly")["appendonly"] == "yes"


def test_a_waiting_job_takes_little(server: EmbeddedServer) -> None:
    job = Job("a" * 32, attempt=1, push=1, queue="normal")
    with connect(server.url) as redis:
        hand_over(redis, [job])
        assert redis.object("encoding", f"rq:job:{job.id}") == b"listpack"


def test_data_survives_a_restart(server: EmbeddedServer) -> None:
    with connect(server.url) as redis:
        redis.set("key", "kept")
    server.stop()
    with connect(server.start()) as redis:
        assert redis.get("key") == b"kept"


def test_data_survives_a_kill_and_the_url_stays(server: EmbeddedServer) -> None:
    before = server.url
    with connect(server.url) as redis:
        redis.set("key", "kept")
    assert server.process is not None
    server.process.kill()
    wait_until(server.has_ended)
    with connect(server.start()) as redis:
        assert (redis.get("key"), server.url) == (b"kept", before)


def test_only_its_owner_may_connect(server: EmbeddedServer) -> None:
    assert (server.folder / "redis.sock").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["x" * 100, 'my "projects"'])
def test_a_path_unfit_for_a_socket_gets_a_port_and_a_password(tmp_path: Path, name: str) -> None:
    server = EmbeddedServer(tmp_path / name)
    url = server.start()
    try:
        with connect(url) as redis:
            assert Worker(["low"], connection=redis).ip_address != "unknown"
        stranger = connect("redis://" + url.rpartition("@")[2])
        with stranger, pytest.raises(AuthenticationError):
            stranger.ping()
    finally:
        server.stop()


def test_its_url_is_known_in_its_folder_while_it_runs(server: EmbeddedServer) -> None:
    assert running_url(server.folder) == server.url
    server.stop()
    assert running_url(server.folder) is None


def test_a_second_one_on_the_folder_is_refused(server: EmbeddedServer) -> None:
    second = EmbeddedServer(server.folder, lock_wait_seconds=0)
    with pytest.raises(ConfigError, match="is in use by another NeonHub"):
        second.start()
    assert not server.has_ended()


@pytest.mark.parametrize(
    "written_by", [{"kind": "redis", "major": 7}, {"kind": "valkey", "major": 99}]
)
def test_a_folder_of_another_server_is_refused(tmp_path: Path, written_by: object) -> None:
    (tmp_path / "written-by.json").write_text(json.dumps(written_by))
    with pytest.raises(ConfigError, match="was written by"):
        EmbeddedServer(tmp_path).start()


def test_a_server_that_does_not_come_up_gives_its_reason(tmp_path: Path) -> None:
    broken = tmp_path / "appendonlydir"
    broken.mkdir()
    (broken / "appendonly.aof.manifest").write_text("nonsense\n")
    with pytest.raises(ConfigError, match=r"did not start: .*manifest"):
        EmbeddedServer(tmp_path).start()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be made"):
        EmbeddedServer(tmp_path / "file" / "redis").start()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel signals orphans on Linux only")
def test_it_dies_with_its_parent_and_frees_the_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert holder.stdout is not None
    with holder.stdout:
        pid = int(holder.stdout.readline())
    holder.kill()
    holder.wait()
    successor = EmbeddedServer(tmp_path)
    successor.start()
    successor.stop()
    assert not is_alive(pid)


def test_an_orphan_is_ended_where_the_kernel_does_not(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert server.process is not None
    ended_parent = subprocess.Popen([sys.executable, "-c", ""])
    ended_parent.wait()
    pids = {"server": server.process.pid, "owner": ended_parent.pid}
    (server.folder / RUNNING).write_text(json.dumps(pids))
    second = EmbeddedServer(server.folder)
    with pytest.raises(ConfigError):
        monkeypatch.setattr(second, "_lock_wait_seconds", 1)
        second.start()
    wait_until(server.has_ended)
    assert server.process.returncode in (0, -signal.SIGTERM)


def test_without_any_server_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_binary, "_candidates", lambda: [Path("/bin/true"), Path("/no/such")])
    with pytest.raises(ConfigError, match="set REDIS_URL, or install"):
        server_binary.find_server_binary()


def test_a_server_on_the_path_comes_after_the_one_that_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "redis-server"
    fake.write_text("#!/bin/sh\necho Redis server v=7.2.4 sha=0 malloc=libc\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert server_binary.find_server_binary().kind == "valkey"
    found = server_binary.identify(fake)
    assert found is not None
    assert (found.kind, found.version, found.major) == ("redis", "7.2.4", 7)
