"""Settings: defaults, every bad value, and what is never shown."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from neonhub.config import (
    Settings,
    environment,
    load_settings,
    prepare_folders,
    require_redis_url,
)
from neonhub.errors import ConfigError

STRONG = "k8Jq2vXn5Zr7Bw1Ld4Tf6Hy9Mc3Ps0Ga"


class RecordingEnvironment(dict[str, str]):
    """An empty environment that remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def get(self, key: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.asked.add(key)
        return default


def refusal(env: Mapping[str, str]) -> str:
    """The message `env` is refused with."""
    with pytest.raises(ConfigError) as caught:
        load_settings(env)
    return caught.value.message


def test_defaults_are_those_of_the_contract() -> None:
    settings = load_settings({})
    assert (settings.host, settings.port, settings.node_env) == ("127.0.0.1", 5000, "development")
    assert settings.data_dir == Path(".neonhub").absolute()
    assert settings.database_url == f"sqlite:///{settings.data_dir}/neonhub.db"
    assert settings.redis_url is None
    assert settings.scheduler_check_interval_ms == 60_000
    assert (settings.max_concurrent, settings.max_retries, settings.pool_size) == (5, 3, 5)
    assert (settings.backoff_base_ms, settings.backoff_max_ms) == (1000, 300_000)
    assert (settings.stop_grace_ms, settings.lease_ms) == (5000, 15_000)
    assert (settings.keep_days, settings.keep_sessions) == (90, 0)
    assert (settings.log_level, settings.prometheus_port) == ("INFO", None)


def test_an_empty_variable_counts_as_unset() -> None:
    assert load_settings({"PORT": "", "REDIS_URL": "  "}) == load_settings({})


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("PORT", " 8080 ", "port", 8080),
        ("HOST", "::1", "host", "::1"),
        ("ALLOWED_HOSTS", "App.example.com, ,b", "allowed_hosts", ("app.example.com", "b")),
        ("CLIENT_URL", "HTTP://Localhost:3000/", "client_url", "http://localhost:3000"),
        (
            "CORS_ORIGIN",
            "https://a:443,http://[::1]:80",
            "cors_origins",
            ("https://a", "http://[::1]"),
        ),
        ("LOG_LEVEL", "Warn", "log_level", "WARNING"),
        ("NEONHUB_AGENT_MODULES", "a.b, c", "agent_modules", ("a.b", "c")),
        ("NEONHUB_HTTP_ALLOW_PRIVATE", "Yes", "http_allow_private", True),
        ("NEONHUB_HTTP_ALLOW_PRIVATE", "0", "http_allow_private", False),
        ("REDIS_URL", "rediss://:pw@h:1/2", "redis_url", "rediss://:pw@h:1/2"),
        ("REDIS_URL", "unix:///tmp/a%20b.sock", "redis_url", "unix:///tmp/a%20b.sock"),
        ("PROMETHEUS_PORT", "9464", "prometheus_port", 9464),
        ("SENTRY_DSN", "https://k@s.example/1", "sentry_dsn", "https://k@s.example/1"),
        ("GOOGLE_CALLBACK_URL", "http://h/cb", "google_callback_url", "http://h/cb"),
    ],
)
def test_a_good_value_is_taken(name: str, value: str, field: str, expected: object) -> None:
    assert getattr(load_settings({name: value}), field) == expected


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("PORT", "x", "a whole number from 1 to 65535"),
        ("PORT", "0", "a whole number from 1 to 65535"),
        ("PORT", "65536", "a whole number from 1 to 65535"),
        ("PORT", "5e3", "a whole number from 1 to 65535"),
        ("PROMETHEUS_PORT", "-1", "a whole number from 1 to 65535"),
        ("HOST", "a b", "a host name or an IP address"),
        ("ALLOWED_HOSTS", "a,http://b", "host names separated by commas"),
        ("CLIENT_URL", "localhost:3000", "an origin such as"),
        ("CLIENT_URL", "https://a/path", "an origin such as"),
        ("CORS_ORIGIN", "*", "origins such as"),
        ("CORS_ORIGIN", "https://*.example.com", "origins such as"),
        ("CORS_ORIGIN", "https://a:99999", "origins such as"),
        ("NODE_ENV", "prod", "one of development, test, production"),
        ("LOG_LEVEL", "loud", "one of debug, info, warning"),
        ("DATABASE_URL", "mysql://h/x", "sqlite:///path/to/file.db or postgresql://"),
        ("DATABASE_URL", "nonsense", "sqlite:///path/to/file.db or postgresql://"),
        ("DATABASE_URL", "sqlite://", "must name a file"),
        ("DATABASE_URL", "sqlite:///:memory:", "must name a file"),
        ("DATABASE_URL", "postgresql://h", "must name the database"),
        ("DATABASE_URL", "postgresql://h/d?schema=a-b", "plain name"),
        ("DATABASE_URL", "postgresql://h:99999/d", "a port from 1 to 65535"),
        ("DATABASE_URL", "postgresql://h:0/d", "a port from 1 to 65535"),
        ("DATABASE_URL", "postgresql://h/d?bogus=1", "no option 'bogus'; allowed are schema"),
        ("DATABASE_URL", "postgresql://h/d?sslmode=maybe", "verify-full as its sslmode"),
        ("DATABASE_URL", "postgresql://h/d?connect_timeout=soon", "whole number of seconds"),
        ("REDIS_URL", "http://h", "redis://host:6379/0"),
        ("REDIS_URL", "redis://h/notanumber", "redis://host:6379/0"),
        ("REDIS_URL", "redis://h:port", "redis://host:6379/0"),
        ("NEONHUB_AGENT_MODULES", "a-b", "module names such as"),
        ("NEONHUB_HTTP_ALLOW_PRIVATE", "maybe", "true or false"),
        ("NEONHUB_POOL_SIZE", "257", "a whole number from 1 to 256"),
        ("NEONHUB_DATA_DIR", "a\0b", "a folder's path"),
        ("NEONHUB_KEEP_DAYS", "-1", "a whole number from 0 to 36500"),
        ("NEONHUB_KEEP_DAYS", "90d", "a whole number from 0 to 36500"),
        ("NEONHUB_KEEP_SESSIONS", "all", "a whole number from 0 to 1000000000"),
        ("SCHEDULER_MAX_CONCURRENT", "0", "a whole number from 1 to"),
        ("SCHEDULER_LEASE", "15s", "a whole number from 500 to 600000 ms"),
        ("SCHEDULER_BACKOFF_MAX", "999", "at least SCHEDULER_BACKOFF_BASE, 1000 ms"),
        ("SENTRY_DSN", "https://host/1", "https://key@host/project"),
        ("SENTRY_DSN", "https://key@host", "https://key@host/project"),
        ("GOOGLE_CALLBACK_URL", "ftp://h", "an address that starts with http"),
    ],
)
def test_a_bad_value_is_refused_in_one_line(name: str, value: str, allowed: str) -> None:
    message = refusal({name: value})
    assert message.startswith(f"{name} is ")
    assert allowed in message
    assert "\n" not in message


def test_every_bad_value_has_a_line_of_its_own() -> None:
    lines = refusal({"PORT": "x", "HOST": "a b", "LOG_LEVEL": "loud"}).splitlines()
    assert [line.split()[0] for line in lines] == ["HOST", "PORT", "LOG_LEVEL"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql://u:hunter2@h:99999/d"),
        ("DATABASE_URL", "postgresql://h/d?password=hunter2&bogus=1"),
        ("DATABASE_URL", "mysql://u:hunter2@h/x"),
        ("DATABASE_URL", "mysql://u:hun/ter2hunter2@h/x"),
        ("REDIS_URL", "http://:hunter2@h"),
        ("SENTRY_DSN", "hunter2"),
        ("CLIENT_URL", "ftp://h/?token=hunter2"),
    ],
)
def test_a_password_is_masked_in_the_refusal(name: str, value: str) -> None:
    assert "hunter2" not in refusal({name: value})


def test_a_long_value_is_cut_in_the_refusal() -> None:
    assert len(refusal({"PORT": "9" * 5000})) < 200


def test_production_refuses_missing_default_and_short_secrets() -> None:
    message = refusal(
        {"NODE_ENV": "production", "JWT_SECRET": "change-me" * 9, "SESSION_SECRET": "s"}
    )
    assert "JWT_SECRET is a default" in message
    assert "JWT_REFRESH_SECRET is unset" in message
    assert "SESSION_SECRET is **** (too short or too simple)" in message


def test_production_takes_strong_secrets() -> None:
    names = ("JWT_SECRET", "JWT_REFRESH_SECRET", "SESSION_SECRET")
    assert load_settings({"NODE_ENV": "production"} | dict.fromkeys(names, STRONG)).is_production


def test_settings_do_not_show_secrets() -> None:
    settings = load_settings(
        {"OPENAI_API_KEY": "sk-hunter2", "DATABASE_URL": "postgresql://u:hunter2@h/d"}
    )
    assert "hunter2" not in repr(settings)


def test_secrets_are_known_for_masking_as_written_and_as_meant() -> None:
    settings = load_settings({"OPENAI_API_KEY": "sk-1", "REDIS_URL": "redis://:a%40b@h"})
    assert settings.secrets == {"sk-1", "a%40b", "a@b"}


def test_the_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("PORT=1234\nHOST=localhost\nJWT_SECRET='a$b'\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PORT", "4321")
    settings = load_settings()
    assert (settings.port, settings.host, settings.jwt_secret) == (4321, "localhost", "a$b")


def test_an_unreadable_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_bytes(b"PORT=\xff\xfe")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"\.env cannot be read"):
        environment()


def test_the_example_names_every_setting_with_its_default() -> None:
    asked = RecordingEnvironment()
    defaults = load_settings(asked)
    example = _example()
    assert set(example) == asked.asked
    assert load_settings(example) == defaults


def test_redis_is_required_where_nothing_embeds_it() -> None:
    with pytest.raises(ConfigError, match="REDIS_URL is unset"):
        require_redis_url(load_settings({}))


def test_folders_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    settings = _settings(tmp_path / "new" / "folder")
    prepare_folders(settings)
    assert settings.data_dir.stat().st_mode & 0o777 == 0o700
    assert list(settings.data_dir.iterdir()) == []


def test_a_data_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="NEONHUB_DATA_DIR needs the folder"):
        prepare_folders(_settings(tmp_path / "file" / "folder"))


def test_a_database_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = load_settings(
        {"NEONHUB_DATA_DIR": str(tmp_path), "DATABASE_URL": f"sqlite:///{tmp_path}/file/x.db"}
    )
    with pytest.raises(ConfigError, match="DATABASE_URL needs the folder"):
        prepare_folders(settings)


@pytest.mark.parametrize("content", [None, b"", b"SQLite format 3\0" + bytes(84)])
def test_a_database_file_may_be_new_or_sqlite_s(tmp_path: Path, content: bytes | None) -> None:
    settings = _settings(tmp_path)
    if content is not None:
        (tmp_path / "neonhub.db").write_bytes(content)
    prepare_folders(settings)


def test_a_database_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "neonhub.db").write_text("notes of mine")
    with pytest.raises(ConfigError, match="DATABASE_URL names the file"):
        prepare_folders(_settings(tmp_path))
    (tmp_path / "neonhub.db").unlink()
    (tmp_path / "neonhub.db").mkdir()
    with pytest.raises(ConfigError, match="DATABASE_URL names the file"):
        prepare_folders(_settings(tmp_path))


def _settings(data_dir: Path) -> Settings:
    return load_settings({"NEONHUB_DATA_DIR": str(data_dir)})


def _example() -> dict[str, str]:
    text = (Path(__file__).parents[2] / ".env.example").read_text()
    settings = [line[1:] for line in text.splitlines() if line.startswith("#") and "=" in line[:40]]
    pairs = [line.split("=", 1) for line in settings if line.split("=", 1)[0].isupper()]
    return {name: value for name, value in pairs if " " not in name}
