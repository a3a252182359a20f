"""Who may talk to a server that needs no login: this machine, and the pages it is told of."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from neonhub.config import Settings


def is_allowed(host: str | None, origin: str | None, settings: Settings) -> bool:
    """Whether a request may be answered, judged by its `Host` and `Origin` headers.

    The host must be loopback or in `ALLOWED_HOSTS`, against DNS rebinding; a page's origin must be
    the server's own, `CLIENT_URL` or in `CORS_ORIGIN`, against requests forged by other pages.

    Args:
        host: The `Host` header.
        origin: The `Origin` header; None where no page sent the request.
    """
    if not is_known_host(host, settings):
        return False
    return origin is None or is_known_origin(origin, settings) or _is_own(origin, host)


def is_known_host(host: str | None, settings: Settings) -> bool:
    """Whether a `Host` header names this machine or a host in `ALLOWED_HOSTS`."""
    name = _host_name(host)
    return name is not None and (_is_loopback(name) or name in _lowered(settings.allowed_hosts))


def is_known_origin(origin: str, settings: Settings) -> bool:
    """Whether pages of this origin are told of in `CLIENT_URL` or `CORS_ORIGIN`."""
    listed = [*settings.cors_origins, *([settings.client_url] if settings.client_url else [])]
    return origin.rstrip("/").lower() in {entry.rstrip("/").lower() for entry in listed}


def _is_own(origin: str, host: str | None) -> bool:
    parts = urlsplit(origin)
    return parts.scheme in ("http", "https") and parts.netloc.lower() == (host or "").lower()


def _host_name(host: str | None) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname if host else None
    except ValueError:
        return None


def _is_loopback(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _lowered(hosts: tuple[str, ...]) -> set[str]:
    return {host.lower() for host in hosts}
