# Needs Python 3.11 or newer with venv, and make; everything else it installs into .venv.
# `make PYTHON=/path/to/python …` chooses the interpreter of a new .venv.

SHELL := /bin/sh
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
PEERS := .venv-peers
PYTHONS := $(or $(PYTHON),python3.13 python3.12 python3.11 python3 python)
USABLE := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes
PARALLEL := -n auto --dist loadfile
MIN_COVERAGE := 90
SEEDS := 5
SESSIONS := 10000
HOURS := 1
UV_OPTIONS := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-header $(LOCK_OPTIONS)
UV_COMPILE := $(BIN)/uv pip compile pyproject.toml $(UV_OPTIONS)

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

.PHONY: run
run: $(VENV)/.installed ## Install what it needs and start the whole system
	@exec $(BIN)/python app.py

.PHONY: install
install: $(VENV)/.installed-dev ## Install what developing needs into .venv

.PHONY: test
test: $(VENV)/.installed-dev browser ## Run every test, on both databases
	$(BIN)/pytest -m "not deep" $(PARALLEL)

.PHONY: coverage
coverage: $(VENV)/.installed-dev browser ## Run the same tests, half as fast, and check the coverage
	@$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -m "not deep" $(PARALLEL)
	@$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --fail-under=$(MIN_COVERAGE)

.PHONY: test-unit
test-unit: $(VENV)/.installed-dev ## Run the tests that need no services
	$(BIN)/pytest tests/unit

.PHONY: test-deep
test-deep: $(VENV)/.installed-dev browser ## Run every test, with many more examples
	NEONHUB_TEST_DEEP=1 $(BIN)/pytest $(PARALLEL)

.PHONY: chaos
chaos: $(VENV)/.installed-dev ## Try every cell of the fault matrix with SEEDS=5 seeds
	NEONHUB_CHAOS_SEEDS=$(SEEDS) NEONHUB_CHAOS_RESULTS=.chaos.jsonl \
		$(BIN)/pytest -n 2 --dist loadfile tests/chaos/test_alone.py tests/chaos/test_proxied.py

.PHONY: kills
kills: $(VENV)/.installed-dev ## Run SESSIONS=10000 sessions with a kill every half second
	$(BIN)/python -m tests.chaos.statistics --sessions $(SESSIONS)

.PHONY: recovery
recovery: $(VENV)/.installed-dev ## Measure how soon the system is whole again after a fault
	$(BIN)/python -m tests.chaos.recovery

.PHONY: soak
soak: $(VENV)/.installed-dev ## Work for HOURS=1 hours with a fault every two minutes
	$(BIN)/python -m tests.chaos.soak --hours $(HOURS)

.PHONY: lint
lint: $(VENV)/.installed-dev types ## Check style, types, import direction and common weaknesses
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml neonhub workers app.py wsgi.py
	$(BIN)/pytest --quiet tests/unit/test_layers.py

.PHONY: types
types: $(VENV)/.installed-dev ## Check the types
	$(BIN)/mypy

.PHONY: format
format: $(VENV)/.installed-dev ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: bench
bench: $(VENV)/.installed-dev $(PEERS)/.installed ## Measure speed beside peers, QUICK=1 for smaller sizes on SQLite
	$(BIN)/python -m bench $(if $(QUICK),--quick) $(QUESTIONS)

.PHONY: audit
audit: $(VENV)/.installed-dev ## Look for known weaknesses in what is installed
	$(BIN)/pip-audit --require-hashes --disable-pip --requirement requirements.txt

.PHONY: lock
lock: $(VENV)/.installed-dev ## Lock the dependencies of pyproject.toml, LOCK_OPTIONS=--upgrade for newer
	$(UV_COMPILE) --output-file requirements.txt
	$(UV_COMPILE) --output-file requirements-dev.txt --constraints requirements.txt \
		--group dev --extra openai --extra anthropic
	$(BIN)/uv pip compile bench/peers/requirements.in $(UV_OPTIONS) \
		--output-file bench/peers/requirements.txt

.PHONY: browser
browser: ## Install Chromium for the browser tests, where root on Debian can
	@for name in chromium chromium-browser google-chrome; do \
		if command -v $$name >/dev/null; then exit 0; fi; \
	done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing Chromium for the browser tests"; \
		export DEBIAN_FRONTEND=noninteractive; \
		if apt-get update -qq && \
			apt-get install -qq -y --no-install-recommends chromium >/dev/null; then exit 0; fi; \
	fi; \
	echo "There is no Chromium: the browser tests will be skipped."

.PHONY: clean
clean: ## Remove .venv, caches and reports; data in .neonhub stays
	rm -rf $(VENV) $(PEERS) build *.egg-info htmlcov .coverage .coverage.* .pytest_cache .mypy_cache \
		.ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@for python in $(PYTHONS); do \
		if "$$python" -c '$(USABLE)' >/dev/null 2>&1; then \
			echo "Making $(VENV) with $$("$$python" --version)"; \
			exec "$$python" -m venv $(VENV); \
		fi; \
	done; \
	echo "None of these is Python 3.11 or newer with venv: $(PYTHONS)" >&2; \
	echo "Install one (Debian: apt-get install python3-venv) or name it: make PYTHON=…" >&2; \
	exit 1

$(VENV)/.installed: requirements.txt | $(BIN)/python
	@echo "Installing the locked packages"
	@$(PIP_INSTALL) --requirement requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt | $(BIN)/python
	@echo "Installing the locked packages for development"
	@$(PIP_INSTALL) --requirement requirements-dev.txt
	@touch $@

$(PEERS)/.installed: bench/peers/requirements.txt | $(VENV)/.installed-dev
	@echo "Installing the peers that the benchmark compares with"
	@$(BIN)/python -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		--requirement bench/peers/requirements.txt
	@touch $@
