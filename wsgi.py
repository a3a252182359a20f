"""The web application for gunicorn or another WSGI server: `wsgi:app`."""

import sys

from neonhub.api.wiring import wired_app
from neonhub.config import load_settings
from neonhub.errors import ConfigError
from neonhub.observability.error_reports import start_error_reports
from neonhub.observability.logs import configure_logging

EXIT_NO_APPLICATION = 4
"""What gunicorn does not start again."""

try:
    settings = load_settings()
    configure_logging(settings, process="web")
    start_error_reports(settings, process="web")
    app = wired_app(settings)
except ConfigError as error:
    print(error.message, file=sys.stderr)
    sys.exit(EXIT_NO_APPLICATION)
