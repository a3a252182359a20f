# One image, four roles: docker run … neonhub web|scheduler|workers|all

FROM python:3.13-slim-bookworm AS packages
COPY requirements.txt .
RUN python -m venv /venv \
    && /venv/bin/python -m pip install --no-cache-dir --require-hashes --requirement requirements.txt

FROM python:3.13-slim-bookworm
RUN useradd --uid 10001 --create-home neonhub \
    && install --directory --owner neonhub --group neonhub --mode 700 /data
COPY --from=packages /venv /venv
WORKDIR /neonhub
COPY app.py wsgi.py ./
COPY neonhub neonhub
COPY workers workers
# Listens on every address of the container; what is published decides who reaches it.
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    NEONHUB_DATA_DIR=/data \
    HOST=0.0.0.0 \
    PORT=5000
USER neonhub
VOLUME /data
EXPOSE 5000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-m", "neonhub", "health", "web"]
ENTRYPOINT ["python", "-m", "neonhub"]
CMD ["all"]
