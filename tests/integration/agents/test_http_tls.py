"""The kind `http` over TLS: the certificate must be the URL's host's."""

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from neonhub.agents import NonRetryableError
from tests.integration.agents.conftest import Call
from tests.integration.agents.web import Handler, Reply, Web

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl makes the certificate")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for `localhost`, and its key, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    key, both = folder / "key.pem", folder / "both.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    named = ["-nodes", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-days", "2", "-keyout", str(key), "-out", str(both)]
    subprocess.run([*made, *named, *files], check=True, capture_output=True)
    both.write_text(both.read_text() + key.read_text())
    return both


@pytest.fixture
def secure(certificate: Path) -> Iterator[Web]:
    """A server with that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    web = Web(server)
    web.start()
    yield web
    web.stop()


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificate is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


def test_a_trusted_host_is_called_by_its_name(secure: Web, call: Call, trusted: None) -> None:
    secure.replies["/"] = Reply(b"safe")
    assert call(secure.url("/", scheme="https", host="localhost"))["body"] == "safe"


def test_a_certificate_nobody_trusts_is_not_tried_again(secure: Web, call: Call) -> None:
    with pytest.raises(NonRetryableError, match="self-signed certificate"):
        call(secure.url("/", scheme="https", host="localhost"))


def test_a_certificate_of_another_host_is_not_tried_again(
    secure: Web, call: Call, trusted: None
) -> None:
    with pytest.raises(NonRetryableError, match=r"not valid for '127\.0\.0\.1'"):
        call(secure.url("/", scheme="https"))
