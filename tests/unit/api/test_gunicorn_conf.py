"""What gunicorn's parent says as it ends."""

import pytest
from gunicorn.errors import HaltServer

from neonhub.api.gunicorn_conf import leave_out_halts


def test_a_worker_that_refused_is_told_of_once(capsys: pytest.CaptureFixture[str]) -> None:
    leave_out_halts(HaltServer, HaltServer("App failed to load."), None)
    assert capsys.readouterr().err == ""


def test_any_other_error_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    leave_out_halts(ValueError, ValueError("unexpected"), None)
    assert "ValueError: unexpected" in capsys.readouterr().err
