# Everything a person does with this checkout. `make` alone explains itself.
.DEFAULT_GOAL := help
.PHONY: help run ready test check check-python check-types check-web fmt web bench cache-tests kafka-test train soak fuzz lock wheel clean
SHELL := /bin/bash

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
ASSETS := src/foregate/control/console/assets/index.html
WEB_SOURCES := $(shell find web -path web/node_modules -prune -o -type f -print 2>/dev/null)
ARGS ?=
TESTERS ?= 2
# Many images set it. A foregate is eight processes: each would compile what it imports anew, half of every start.
export PYTHONDONTWRITEBYTECODE :=

help: ## Show this help.
	@echo "foregate: an API gateway that sees failures coming."; echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(BIN)/.run $(ASSETS) ## Start the demo: gateway, console, and services with faults to switch on. Ctrl-C stops it. ARGS="--help" for more.
	@$(BIN)/foregate demo $(ARGS)

ready: $(BIN)/.dev $(ASSETS) tests/node/node_modules/.installed ## Install and build what the tests need.

test: ready ## Run all tests: real sockets, processes, stores and a real browser.
	$(BIN)/python -m pytest -n $(TESTERS) --dist loadfile --no-loadscope-reorder --max-worker-restart 0 $(ARGS)

check: check-python check-types check-web ## Lint, types, import contracts and house rules (under a minute; sooner with -j2).

check-python: $(BIN)/.dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest tests/house

check-types: $(BIN)/.dev
	$(BIN)/mypy

check-web: web/node_modules/.installed
	npm --prefix web run --silent check

fmt: $(BIN)/.dev ## Format the Python code.
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

web: $(ASSETS) ## Build the console.

bench: $(BIN)/.dev ## Measure beside the peers found here (nginx, haproxy, Go, Caddy), about 12 minutes. ARGS="proxy latency" for some.
	$(BIN)/python -m bench $(ARGS)

cache-tests: $(BIN)/.dev ## Run the public suite for HTTP caches against a worker (installs it into bench/out, with npm).
	$(BIN)/python -m bench cache-tests $(ARGS)

soak: $(BIN)/.dev ## Half an hour of streams, aborts and 100,000 keys: does memory grow, do files leak? ARGS="--minutes 5" for less.
	$(BIN)/python -m bench soak $(ARGS)

fuzz: $(BIN)/.dev ## Send a million mutated requests through the gateway. ARGS="--cases 50000 --seed 1 --engine" for others.
	$(BIN)/python -m tests.fuzz $(ARGS)

kafka-test: $(BIN)/.dev ## Run the bus's suite against a real Kafka 4 broker (fetched by Maven into bench/out, needs Java 17).
	$(BIN)/python -m tests.kafka $(ARGS)

train: $(BIN)/.dev ## Train the bundled model anew from lab runs, with its card.
	$(BIN)/foregate predict train $(ARGS)

lock: ## Renew the lock files (needs uv): hashes, no registry addresses.
	uv pip compile -q pyproject.toml --group build --generate-hashes --no-emit-index-url --python-version 3.11 --no-header -o requirements/run.lock
	uv pip compile -q pyproject.toml --extra train --group dev --generate-hashes --no-emit-index-url --python-version 3.11 --no-header -o requirements/dev.lock

wheel: $(BIN)/.dev $(ASSETS) ## Build the wheel, console included, into dist/.
	$(BIN)/hatchling build -t wheel

clean: ## Remove what was installed and built here (not the data directory).
	rm -rf .venv web/node_modules src/foregate/control/console/assets dist bench/out .mypy_cache .ruff_cache .pytest_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "foregate needs Python 3.11 or newer; say which: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv .venv

$(BIN)/.run: $(BIN)/python requirements/run.lock pyproject.toml
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/run.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(BIN)/.dev: $(BIN)/.run requirements/dev.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@touch $@

web/node_modules/.installed: web/package-lock.json
	@command -v npm >/dev/null || { echo "the console needs Node.js 20 or newer with npm to be built" >&2; exit 1; }
	npm --prefix web ci --no-audit --no-fund --loglevel=error
	@touch $@

tests/node/node_modules/.installed: tests/node/package-lock.json
	npm --prefix tests/node ci --no-audit --no-fund --loglevel=error
	@touch $@

$(ASSETS): web/node_modules/.installed $(WEB_SOURCES)
	npm --prefix web run --silent build
	@touch $@
