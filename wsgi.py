"""The web application for gunicorn or another WSGI server: `wsgi:app`."""

from app import create_app
from neonhub.config import load_settings
from neonhub.observability.error_reports import start_error_reports
from neonhub.observability.logs import configure_logging

settings = load_settings()
configure_logging(settings, process="web")
start_error_reports(settings, process="web")
app = create_app(settings)
