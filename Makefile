# cellSTORM's commands; `make help` lists them. Each does the set-up that it needs, once: what is done leaves a mark in
# .venv/.done, and is done again only when the files that it depends on have changed.

PYTHON ?= python3
# cpu, or gpu on a machine with an NVIDIA card: `make setup EXTRA=gpu` in a fresh clone, or after `make clean`.
EXTRA ?= cpu
BIN := .venv/bin
DONE := .venv/.done
NPM := $(BIN)/python phone_client/tools/npm.py
# Whatever the page is built from.
PAGE := $(shell find phone_client \( -name node_modules -o -name dist \) -prune -o -type f -print)

export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: help setup demo up page screenshots test test-all lint bench images clean

help: ## list these commands
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

setup: $(DONE)/service phone_client/dist/index.html ## everything that demo and up need

demo: setup ## a simulated phone streams into cellSTORM on this machine; HEADLESS=1 ends by itself, without a browser
	@$(BIN)/cellstorm demo $(if $(filter 1,$(HEADLESS)),--headless) $(ARGS)

up: setup ## cellSTORM on this machine, for real phones; ARGS="--http" etc. are handed on
	@$(BIN)/cellstorm up $(ARGS)

page: phone_client/dist/index.html ## build the page

screenshots: $(DONE)/development phone_client/dist/index.html ## pictures of every place of the page, into docs/screenshots/
	@$(BIN)/python -m tests.e2e.screenshots $(ARGS)

test: lint ## all checks, and all tests but the slow ones
	@echo "Tests"
	@$(BIN)/pytest -q -m "not slow" $(ARGS)

test-all: lint ## all checks and all tests
	@echo "Tests, with the slow ones"
	@$(BIN)/pytest -q $(ARGS)

lint: $(DONE)/development phone_client/dist/index.html ## style, types, and the boundaries between packages
	@echo "Style"
	@$(BIN)/ruff check -q .
	@$(BIN)/ruff format -q --check .
	@echo "Types"
	@$(BIN)/mypy --no-error-summary
	@echo "Boundaries"
	@$(BIN)/lint-imports --no-logo >$(DONE)/boundaries.log || { cat $(DONE)/boundaries.log; exit 1; }
	@echo "Page: style, types, tests"
	@$(NPM) run --silent lint
	@$(NPM) test --silent

bench: $(DONE)/development phone_client/dist/index.html ## measure; benchmarks/README.md tells what
	@$(BIN)/python -m benchmarks $(ARGS)

images: $(DONE)/development ## build both images and stream through them (root, buildah and debootstrap)
	@tests/e2e/images.sh

clean: ## forget the set-up; data stay
	rm -rf .venv phone_client/node_modules phone_client/dist

# -- set-up

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "cellSTORM needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || deploy/debian-packages python3-venv
	@echo "Python environment in .venv"
	@$(PYTHON) -m venv .venv

$(DONE)/service: $(BIN)/python pyproject.toml hatch_build.py
	@echo "The service and what it depends on"
	@$(BIN)/pip install -qq -e '.[$(EXTRA),page]'
	@mkdir -p $(DONE) && touch $@

$(DONE)/development: $(DONE)/service
	@echo "Tools for tests and training"
	@$(BIN)/pip install -qq -e '.[$(EXTRA),page,train,dev]'
	@command -v chromium >/dev/null && command -v certutil >/dev/null && /sbin/ldconfig -p | grep -q libatomic.so.1 || \
		deploy/debian-packages chromium libnss3-tools libatomic1 || echo "Tests that drive a browser cannot run"
	@/sbin/ldconfig -p | grep -q libopenh264 || \
		deploy/debian-packages libopenh264-dev || echo "Training imitates a browser's encoder with x264"
	@touch $@

$(DONE)/node_modules: $(DONE)/service phone_client/package-lock.json
	@echo "What the page is built with"
	@$(NPM) ci --silent --no-audit --no-fund
	@touch $@

phone_client/dist/index.html: $(DONE)/node_modules $(PAGE)
	@echo "Page"
	@$(NPM) run --silent build >$(DONE)/page.log 2>&1 || { cat $(DONE)/page.log; exit 1; }
	@touch $@
