# Everything a fresh machine needs: Python 3.11 or newer, and make. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
# Stamps: an installation happens once, and again when a lock or the project's own file changes.
BASE := $(VENV)/.made
RUNTIME := $(VENV)/.runtime
DEV := $(VENV)/.dev

# Set PYTHON to choose the interpreter; otherwise the first one that is new enough is taken.
PYTHONS := $(if $(PYTHON),$(PYTHON),python3 python3.11 python3.12 python3.13 python3.14 python)
NEW_ENOUGH := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore
PIP := $(BIN)/python -m pip install --quiet --no-input --retries 10 --timeout 60
COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links --extra build $(if $(UPGRADE),--upgrade,)

.PHONY: help demo test servers lint format bench evidence chaos contract grafana lock secrets clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(RUNTIME) ## stream the sample through an embedded broker and a worker, print the alerts
	@$(BIN)/wakeline demo

test: lint ## lint, then run all tests; ends with what was left out, and why
	@$(BIN)/python -m tests.servers --where-possible
	$(BIN)/python -m pytest -n 2 --dist loadfile

servers: $(DEV) ## bring the real servers of the tests, Kafka and InfluxDB, onto this machine
	@$(BIN)/python -m tests.servers

lint: $(DEV) ## style, types and import rules
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEV) ## bring the sources into form
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(DEV) ## run the benchmarks, write bench/results.json
	$(BIN)/python -m bench

evidence: $(DEV) ## what detection finds of planted changes in LifeSnaps (WAKELINE_SHARED_DATA)
	$(BIN)/python -m bench.evidence

# How many trials `make chaos` makes, and the seed of the first; FIRST=7 SEEDS=1 is the seventh alone.
SEEDS := 10
FIRST := 1

chaos: $(DEV) ## break workers, broker and sink at random on a real Kafka, compare with a replay
	@$(BIN)/python -m tests.servers
	$(BIN)/python -m tests.chaos --first $(FIRST) --count $(SEEDS)

contract: $(DEV) ## write the contract in docs/ anew: events, features and results
	$(BIN)/wakeline schema --write docs/asyncapi.json
	$(BIN)/wakeline schema --write docs/EVENTS.md
	$(BIN)/wakeline schema --write docs/FEATURES.md
	$(BIN)/wakeline schema --write docs/RESULTS.md

grafana: $(DEV) ## write the dashboards and provisioning of Grafana anew
	$(BIN)/python -m grafana.definitions

lock: $(DEV) ## resolve the dependencies into the two lock files (UPGRADE=1 for the newest)
	$(COMPILE) pyproject.toml --extra dev --output-file requirements-dev.lock
	$(COMPILE) pyproject.toml --constraints requirements-dev.lock --output-file requirements.lock

# The sample's project, so that a first try shows something; a deployment names its own.
SITE := lifesnaps
ENV_FILE := .env

secrets: ## draw the secrets that docker compose needs into .env, once (SITE=the first site)
	@deploy/secrets.sh "$(ENV_FILE)" "$(SITE)"

clean: ## remove the environment and everything that was built
	rm -rf $(VENV) build dist demo *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BASE):
	@for python in $(PYTHONS); do \
		if command -v "$$python" >/dev/null && "$$python" -c '$(NEW_ENOUGH)' 2>/dev/null; then \
			echo "Making $(VENV) with $$("$$python" --version)"; \
			"$$python" -m venv $(VENV) && touch $@ && exit 0; \
		fi; \
	done; \
	echo "Wakeline needs Python 3.11 or newer with its venv module; none found as: $(PYTHONS)." \
		"Install one, or name it: make PYTHON=/path/to/python3.11" >&2; \
	exit 1

$(RUNTIME): $(BASE) requirements.lock pyproject.toml
	@echo "Installing what requirements.lock names"
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

# The development lock holds all of the runtime lock, so the demo needs nothing more after it.
$(DEV): $(BASE) requirements-dev.lock pyproject.toml
	@echo "Installing what requirements-dev.lock names"
	@$(PIP) --require-hashes -r requirements-dev.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $(RUNTIME) $@
