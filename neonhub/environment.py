"""Reads typed settings out of environment variables and gathers every problem on the way."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from neonhub.errors import ConfigError

T = TypeVar("T")

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_HOST = re.compile(r"[A-Za-z0-9_.:-]{1,255}|\[[0-9A-Fa-f:.]+\]")
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_PASSWORD_IN_URL = re.compile(r"(://[^:/@]*):.*@")
_PASSWORD_IN_QUERY = re.compile(r"((?:password|secret|token)=)[^&]*", re.IGNORECASE)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_SHOWN = 80


class Reader:
    """Typed access to one environment; a variable that is empty counts as unset."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._problems: list[str] = []

    def parsed(
        self,
        name: str,
        parse: Callable[[str], T],
        default: T,
        *,
        allowed: str,
        secret: bool = False,
    ) -> T:
        """Read one variable through a parser.

        Args:
            parse: Turns the stripped text into the value; raises ValueError for a bad one.
            default: Returned for a variable that is unset or bad.
            allowed: What would be right, to end the sentence "must be …".
            secret: Whether the value must not be shown at all.
        """
        text = self._env.get(name, "").strip()
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as error:
            reason = str(error) if isinstance(error, BadValue) else f"must be {allowed}"
            self.problem(name, "****" if secret else shown(text), reason)
            return default

    def problem(self, name: str, value: str, reason: str) -> None:
        """Note that a variable is wrong; `value` must be fit to print."""
        self._problems.append(f"{name} is {value}: {reason}.")

    def finish(self) -> None:
        """Stop the start if anything was wrong.

        Raises:
            ConfigError: One line per variable that is wrong.
        """
        if self._problems:
            raise ConfigError("\n".join(self._problems))

    def text(self, name: str) -> str | None:
        """Read free text; None when unset."""
        return self._env.get(name, "").strip() or None

    def integer(self, name: str, default: int, low: int, high: int, unit: str = "") -> int:
        """Read a whole number from `low` to `high`, both included."""
        value = self.optional_integer(name, low, high, unit)
        return default if value is None else value

    def optional_integer(self, name: str, low: int, high: int, unit: str = "") -> int | None:
        """Read a whole number from `low` to `high`; None when unset."""

        def parse(text: str) -> int | None:
            if not re.fullmatch(r"[+-]?[0-9]{1,18}", text) or not low <= int(text) <= high:
                raise ValueError(text)
            return int(text)

        allowed = f"a whole number from {low} to {high}{unit and ' ' + unit}"
        return self.parsed(name, parse, None, allowed=allowed)

    def flag(self, name: str, default: bool) -> bool:
        """Read yes or no."""

        def parse(text: str) -> bool:
            if text.lower() not in _TRUE | _FALSE:
                raise ValueError(text)
            return text.lower() in _TRUE

        return self.parsed(name, parse, default, allowed="true or false")

    def choice(self, name: str, default: str, choices: Mapping[str, str]) -> str:
        """Read one of several words, in any case; `choices` maps each to what it means."""

        def parse(text: str) -> str:
            if text.lower() not in choices:
                raise ValueError(text)
            return choices[text.lower()]

        return self.parsed(name, parse, default, allowed=f"one of {', '.join(choices)}")

    def path(self, name: str, default: str) -> Path:
        """Read a folder's path, made absolute."""

        def parse(text: str) -> Path:
            if "\0" in text:
                raise ValueError(text)
            return Path(text).expanduser().absolute()

        return self.parsed(name, parse, Path(default).absolute(), allowed="a folder's path")

    def host(self, name: str, default: str) -> str:
        """Read an address to listen on."""
        return self.parsed(name, host_name, default, allowed="a host name or an IP address")

    def hosts(self, name: str) -> tuple[str, ...]:
        """Read a comma-separated list of host names."""
        allowed = "host names separated by commas"
        return self.parsed(name, lambda text: comma_separated(text, host_name), (), allowed=allowed)

    def origin(self, name: str) -> str | None:
        """Read one browser origin, such as https://app.example.com."""
        allowed = "an origin such as https://app.example.com"
        return self.parsed(name, origin, None, allowed=allowed)

    def origins(self, name: str) -> tuple[str, ...]:
        """Read a comma-separated list of browser origins."""
        allowed = "origins such as https://app.example.com, separated by commas"
        return self.parsed(name, lambda text: comma_separated(text, origin), (), allowed=allowed)

    def modules(self, name: str) -> tuple[str, ...]:
        """Read a comma-separated list of importable modules."""
        allowed = "module names such as mypackage.agents, separated by commas"
        parse = lambda text: comma_separated(text, module_name)  # noqa: E731
        return self.parsed(name, parse, (), allowed=allowed)

    def web_address(self, name: str, *, secret: bool = False) -> str | None:
        """Read an http or https address; None when unset."""
        allowed = "an address that starts with http:// or https://"
        return self.parsed(name, web_address, None, allowed=allowed, secret=secret)


class BadValue(ValueError):
    """The value is wrong for a reason that its message gives in full."""


def shown(text: str) -> str:
    """Quote a value for a one-line message, without the passwords in it."""
    masked = _PASSWORD_IN_URL.sub(r"\1:****@", text)
    masked = _PASSWORD_IN_QUERY.sub(r"\1****", masked)
    return repr(masked if len(masked) <= _MAX_SHOWN else masked[: _MAX_SHOWN - 1] + "…")


def passwords_in(url: str) -> tuple[str, ...]:
    """Return the password of a URL, as written and as meant; nothing if it has none."""
    password = urlsplit(url).password
    return (password, unquote(password)) if password else ()


def comma_separated(text: str, parse: Callable[[str], str]) -> tuple[str, ...]:
    """Split at commas and parse each part that is not blank."""
    return tuple(parse(part.strip()) for part in text.split(",") if part.strip())


def host_name(text: str) -> str:
    """Check a host name or IP address and make it lower case."""
    if not _HOST.fullmatch(text):
        raise ValueError(text)
    return text.lower()


def module_name(text: str) -> str:
    """Check the dotted name of a module."""
    if not _MODULE.fullmatch(text):
        raise ValueError(text)
    return text


def web_address(text: str) -> str:
    """Check an http or https address."""
    parts = urlsplit(text)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.port == 0:
        raise ValueError(text)
    return text


def origin(text: str) -> str:
    """Bring a browser origin into the form browsers send: no path, no default port."""
    parts = urlsplit(web_address(text.lower().rstrip("/")))
    if parts.path or parts.query or parts.fragment or "@" in parts.netloc or "*" in parts.netloc:
        raise ValueError(text)
    default_port = parts.port in (None, _DEFAULT_PORTS[parts.scheme])
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}" + ("" if default_port else f":{parts.port}")
