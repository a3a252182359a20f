"""What only one system may have: a port, a data folder."""

import os
import re
import socket
import threading
from pathlib import Path

import pytest

from neonhub.errors import ConfigError
from neonhub.system.listening import listen, lock_data_dir


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]"])
def test_a_free_port_is_listened_on(host: str) -> None:
    with listen("PORT", host, 0) as listener, socket.socket(listener.family) as client:
        client.connect(listener.getsockname())


def test_a_taken_port_is_refused_in_one_line() -> None:
    with listen("PORT", "127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            ConfigError, match=rf"^PORT is '{port}': .*Address already in use"
        ) as no:
            listen("PORT", "127.0.0.1", port)
    assert "\n" not in no.value.message


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "2001:db8::1", "no-such-host.invalid", "x" * 100 + ".invalid"]
)
def test_a_host_that_is_not_ours_is_refused_and_not_the_port(host: str) -> None:
    said = rf"^HOST is '{re.escape(host)}': must be a name or an address of this machine \(.+\)"
    with pytest.raises(ConfigError, match=said):
        listen("PROMETHEUS_PORT", host, 9464)


def test_a_port_that_becomes_free_is_waited_for() -> None:
    taken = listen("PORT", "127.0.0.1", 0)
    port = taken.getsockname()[1]
    threading.Timer(0.2, taken.close).start()
    listen("PORT", "127.0.0.1", port, wait_seconds=10).close()


def test_a_folder_in_use_names_who_uses_it(tmp_path: Path) -> None:
    with lock_data_dir(tmp_path):
        with pytest.raises(ConfigError, match=f"process {os.getpid()} does"):
            with lock_data_dir(tmp_path):
                pytest.fail("two have it")


def test_a_folder_tells_whether_its_last_system_was_killed(tmp_path: Path) -> None:
    with lock_data_dir(tmp_path) as lock:
        assert not lock.was_killed
    with lock_data_dir(tmp_path) as lock:
        assert not lock.was_killed
    (tmp_path / "app.lock").write_text("4711")  # as a killed one leaves it
    with lock_data_dir(tmp_path) as lock:
        assert lock.was_killed
