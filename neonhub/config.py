"""Every setting NeonHub has, read from the environment and checked when a process starts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from urllib.parse import urlsplit

from dotenv import dotenv_values

from neonhub import database_url as database_urls
from neonhub.environment import Reader, passwords_in
from neonhub.errors import ConfigError

DAY_MS = 86_400_000
MIB = 1024 * 1024
MIN_SECRET_LENGTH = 32

_ENVIRONMENTS = {name: name for name in ("development", "test", "production")}
_LOCAL_ADDRESSES = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # nosec B104: read, not bound
_LOG_LEVELS = {"debug": "DEBUG", "info": "INFO", "warning": "WARNING", "warn": "WARNING"}
_LOG_LEVELS |= {"error": "ERROR", "critical": "CRITICAL"}
_PLACEHOLDERS = ("change", "default", "example", "placeholder", "replace", "your-", "your_")
_REDIS_ALLOWED = "redis://host:6379/0, rediss://host:6379/0 or unix:///path/to/redis.sock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What `.env.example` describes, typed; a duration's name ends in its unit."""

    node_env: str
    data_dir: Path
    database_url: str = field(repr=False)
    redis_url: str | None = field(repr=False)
    """None asks for the embedded server in the data folder."""

    host: str
    port: int
    allowed_hosts: tuple[str, ...]
    client_url: str | None
    cors_origins: tuple[str, ...]
    ws_max_clients: int

    jwt_secret: str | None = field(repr=False)
    jwt_refresh_secret: str | None = field(repr=False)
    session_secret: str | None = field(repr=False)
    google_client_id: str | None
    google_client_secret: str | None = field(repr=False)
    google_callback_url: str | None

    openai_api_key: str | None = field(repr=False)
    anthropic_api_key: str | None = field(repr=False)
    agent_modules: tuple[str, ...]
    http_allow_private: bool
    """Whether agents of kind `http` may call loopback and private addresses."""

    scheduler_check_interval_ms: int
    """Between two safety sweeps of the database; firing does not wait for them."""
    max_concurrent: int
    """Agents at once in the whole fleet."""
    max_retries: int
    backoff_base_ms: int
    backoff_max_ms: int
    stop_grace_ms: int
    """Between a stop asked for, or a timeout, and the kill."""
    lease_ms: int
    """Without renewal for this long an attempt counts as lost."""
    pool_size: int
    """Workers of one pool."""
    runs_per_process: int
    """Of one agent's process in a pool before a fresh one takes its place."""
    process_growth_bytes: int
    """Of the memory of one agent's process from its first run on, before it is replaced."""

    max_memory_bytes: int | None
    """Of one agent's process; None: no limit."""
    max_body_bytes: int
    max_input_bytes: int
    max_result_bytes: int
    max_log_lines: int
    """Of one attempt."""
    max_log_line_bytes: int
    max_events_per_second: int
    """Progress of one session, in bursts twice as much."""
    max_queued: int
    """Sessions of one agent, backfill that waits left out."""

    keep_days: int
    """Of ended sessions, since their end; 0: for ever."""
    keep_sessions: int
    """Ended ones of each agent; 0: all."""

    sentry_dsn: str | None = field(repr=False)
    prometheus_port: int | None
    log_level: str

    @property
    def is_production(self) -> bool:
        """Whether NODE_ENV is production."""
        return self.node_env == "production"

    @property
    def local_host(self) -> str:
        """Where a client on this machine reaches what listens on HOST, as an address has it."""
        address = self.host.strip("[]")
        local = _LOCAL_ADDRESSES.get(address, address)
        return f"[{local}]" if ":" in local else local

    @property
    def secrets(self) -> frozenset[str]:
        """Every value that must not be seen in a log line, passwords in addresses included."""
        keys = (
            self.jwt_secret,
            self.jwt_refresh_secret,
            self.session_secret,
            self.google_client_secret,
            self.openai_api_key,
            self.anthropic_api_key,
            self.sentry_dsn,
            *passwords_in(self.database_url),
            *passwords_in(self.redis_url or ""),
        )
        return frozenset(key for key in keys if key)

    @property
    def database_schema(self) -> str | None:
        """The PostgreSQL schema DATABASE_URL names; None for the server's default."""
        return database_urls.schema_of(self.database_url)


def load_settings(env: Mapping[str, str] | None = None) -> Settings:
    """Read and check every setting.

    Args:
        env: Variables to read; None reads the process's own, and `.env` for those it lacks.

    Raises:
        ConfigError: One line for each variable that is wrong.
    """
    read = Reader(environment() if env is None else env)
    data_dir = read.path("NEONHUB_DATA_DIR", ".neonhub")
    settings = Settings(
        node_env=read.choice("NODE_ENV", "development", _ENVIRONMENTS),
        data_dir=data_dir,
        database_url=_database_url(read, data_dir),
        redis_url=read.parsed("REDIS_URL", _redis_url, None, allowed=_REDIS_ALLOWED),
        host=read.host("HOST", "127.0.0.1"),
        port=read.integer("PORT", 5000, 1, 65_535),
        allowed_hosts=read.hosts("ALLOWED_HOSTS"),
        client_url=read.origin("CLIENT_URL"),
        cors_origins=read.origins("CORS_ORIGIN"),
        ws_max_clients=read.integer("NEONHUB_WS_MAX_CLIENTS", 5000, 1, 100_000),
        jwt_secret=read.text("JWT_SECRET"),
        jwt_refresh_secret=read.text("JWT_REFRESH_SECRET"),
        session_secret=read.text("SESSION_SECRET"),
        google_client_id=read.text("GOOGLE_CLIENT_ID"),
        google_client_secret=read.text("GOOGLE_CLIENT_SECRET"),
        google_callback_url=read.web_address("GOOGLE_CALLBACK_URL"),
        openai_api_key=read.text("OPENAI_API_KEY"),
        anthropic_api_key=read.text("ANTHROPIC_API_KEY"),
        agent_modules=read.modules("NEONHUB_AGENT_MODULES"),
        http_allow_private=read.flag("NEONHUB_HTTP_ALLOW_PRIVATE", False),
        scheduler_check_interval_ms=read.integer(
            "SCHEDULER_CHECK_INTERVAL", 60_000, 100, DAY_MS, "ms"
        ),
        max_concurrent=read.integer("SCHEDULER_MAX_CONCURRENT", 5, 1, 10_000),
        max_retries=read.integer("SCHEDULER_MAX_RETRIES", 3, 0, 100),
        backoff_base_ms=read.integer("SCHEDULER_BACKOFF_BASE", 1000, 1, DAY_MS, "ms"),
        backoff_max_ms=read.integer("SCHEDULER_BACKOFF_MAX", 300_000, 1, DAY_MS, "ms"),
        stop_grace_ms=read.integer("SCHEDULER_STOP_GRACE", 5000, 0, 600_000, "ms"),
        lease_ms=read.integer("SCHEDULER_LEASE", 15_000, 500, 600_000, "ms"),
        pool_size=read.integer("NEONHUB_POOL_SIZE", 5, 1, 256),
        runs_per_process=read.integer("NEONHUB_RUNS_PER_PROCESS", 1000, 1, 1_000_000),
        process_growth_bytes=read.integer("NEONHUB_PROCESS_GROWTH_BYTES", 64 * MIB, MIB, 2**50),
        max_memory_bytes=read.optional_integer("NEONHUB_MAX_MEMORY_BYTES", 64 * MIB, 2**50),
        max_body_bytes=read.integer("NEONHUB_MAX_BODY_BYTES", MIB, 1024, 64 * MIB),
        max_input_bytes=read.integer("NEONHUB_MAX_INPUT_BYTES", MIB, 2, 64 * MIB),
        max_result_bytes=read.integer("NEONHUB_MAX_RESULT_BYTES", MIB, 2, 64 * MIB),
        max_log_lines=read.integer("NEONHUB_MAX_LOG_LINES", 10_000, 1, 1_000_000),
        max_log_line_bytes=read.integer("NEONHUB_MAX_LOG_LINE_BYTES", 16_384, 256, MIB),
        max_events_per_second=read.integer("NEONHUB_MAX_EVENTS_PER_SECOND", 20, 1, 1000),
        max_queued=read.integer("NEONHUB_MAX_QUEUED", 10_000, 1, 1_000_000),
        keep_days=read.integer("NEONHUB_KEEP_DAYS", 90, 0, 36_500),
        keep_sessions=read.integer("NEONHUB_KEEP_SESSIONS", 0, 0, 1_000_000_000),
        sentry_dsn=read.parsed(
            "SENTRY_DSN", _sentry_dsn, None, allowed="https://key@host/project", secret=True
        ),
        prometheus_port=read.optional_integer("PROMETHEUS_PORT", 1, 65_535),
        log_level=read.choice("LOG_LEVEL", "INFO", _LOG_LEVELS),
    )
    _check_together(read, settings)
    read.finish()
    return settings


def environment() -> dict[str, str]:
    """Return the process's variables, and those of `.env` that it lacks.

    Raises:
        ConfigError: There is a `.env` that cannot be read.
    """
    try:
        from_file = dotenv_values(".env", interpolate=False)
    except (OSError, ValueError) as error:
        raise ConfigError(f"The file .env cannot be read: {error}.") from error
    known = {name: value for name, value in from_file.items() if value is not None}
    return {**known, **os.environ}


def require_redis_url(settings: Settings) -> str:
    """Return REDIS_URL, for processes that cannot do without.

    Raises:
        ConfigError: It is unset.
    """
    if settings.redis_url is None:
        raise ConfigError(
            "REDIS_URL is unset: set it, or start the whole system with `python app.py`, "
            "which brings its own server."
        )
    return settings.redis_url


def prepare_folders(settings: Settings) -> None:
    """Make the folders that data goes into, for their owner alone, and see that they take it.

    Raises:
        ConfigError: One of them cannot be written, or DATABASE_URL names a file of another kind.
    """
    _prepare_folder("NEONHUB_DATA_DIR", settings.data_dir)
    file = database_urls.sqlite_file(settings.database_url)
    if file is None:
        return
    if file.parent != settings.data_dir:
        _prepare_folder("DATABASE_URL", file.parent)
    if not _may_be_sqlite(file):
        raise ConfigError(
            f"DATABASE_URL names the file '{file}': it must be one that SQLite wrote, or a new one."
        )


def _may_be_sqlite(file: Path) -> bool:
    """Whether a file is new, or begins as https://sqlite.org/fileformat2.html says."""
    if not file.exists():
        return True
    if not file.is_file():
        return False
    with file.open("rb") as opened:
        return opened.read(16) in (b"", b"SQLite format 3\0")


def _prepare_folder(name: str, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with TemporaryFile(dir=folder):
            return
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(
            f"{name} needs the folder '{folder}': it must be one that can be written ({reason})."
        ) from error


def _database_url(read: Reader, data_dir: Path) -> str:
    default = database_urls.sqlite_url(data_dir / "neonhub.db")
    parse = database_urls.normalise_database_url
    return read.parsed("DATABASE_URL", parse, default, allowed=database_urls.ALLOWED)


def _redis_url(text: str) -> str:
    parts = urlsplit(text)
    served = parts.scheme in ("redis", "rediss") and parts.hostname and parts.port != 0
    if not served and not (parts.scheme == "unix" and parts.path):
        raise ValueError(text)
    if parts.scheme != "unix" and not parts.path.strip("/").isdigit() and parts.path.strip("/"):
        raise ValueError(text)
    return text


def _sentry_dsn(text: str) -> str:
    # What sentry_sdk would refuse later, without importing it: it is larger than all of NeonHub.
    parts = urlsplit(text)
    is_complete = parts.hostname and parts.username and parts.port != 0
    if parts.scheme not in ("http", "https") or not is_complete:
        raise ValueError(text)
    int(parts.path.rpartition("/")[2])  # the project, a number
    return text


def _check_together(read: Reader, settings: Settings) -> None:
    if settings.backoff_max_ms < settings.backoff_base_ms:
        reason = f"must be at least SCHEDULER_BACKOFF_BASE, {settings.backoff_base_ms} ms"
        read.problem("SCHEDULER_BACKOFF_MAX", repr(str(settings.backoff_max_ms)), reason)
    if settings.is_production:
        _check_secret(read, "JWT_SECRET", settings.jwt_secret)
        _check_secret(read, "JWT_REFRESH_SECRET", settings.jwt_refresh_secret)
        _check_secret(read, "SESSION_SECRET", settings.session_secret)


def _check_secret(read: Reader, name: str, value: str | None) -> None:
    hint = f"at least {MIN_SECRET_LENGTH} random characters when NODE_ENV=production"
    if value is None:
        read.problem(name, "unset", f"must be {hint}")
    elif any(word in value.lower() for word in _PLACEHOLDERS):
        read.problem(name, "a default", f"must be {hint}")
    elif len(value) < MIN_SECRET_LENGTH or len(set(value)) < 8:
        read.problem(name, "**** (too short or too simple)", f"must be {hint}")
