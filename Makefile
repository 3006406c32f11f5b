# A fresh machine needs python3 (3.11 to 3.14), make and a package index. Everything else goes into .venv.
PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet
PINNED := $(PIP) --require-hashes --only-binary :all:
CODE := m2s beacons campaigns accuracy

.DEFAULT_GOAL := help
.PHONY: help install demo test lint bench accuracy faults check-python

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo '  Options go in ARGS, the interpreter in PYTHON: make demo ARGS="--for 60s --headless" PYTHON=python3.13'

install: $(VENV)/.base  ## install m2s and what it needs into .venv

demo: $(VENV)/.base  ## run the main job on a small city: shops, campaigns, simulated shoppers
	@$(BIN)/m2s demo $(ARGS)

test: lint  ## check style, types and import rules, then run every test
	$(BIN)/python -m pytest -n 2 $(ARGS)

lint: $(VENV)/.dev  ## check style, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict $(CODE)
	$(BIN)/lint-imports

bench: $(VENV)/.dev  ## measure the engine against its floors
	@$(BIN)/python -m benchmarks $(ARGS)

accuracy: $(VENV)/.dev  ## score what m2s claims on recordings of real phones and on simulated days (20 minutes of CPU)
	@$(BIN)/python -m accuracy $(ARGS)

faults: $(VENV)/.dev  ## break the service in every way there is, at nightly size (two hours)
	M2S_FAULTS=nightly $(BIN)/python -m pytest -s tests/faults tests/model $(ARGS)

check-python:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "m2s needs Python 3.11 to 3.14 and found no $(PYTHON): install one, or name it: make PYTHON=/path/to/python3.13" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 14) else \
	  "m2s needs Python 3.11 to 3.14, but $(PYTHON) is %d.%d: name another, for example make PYTHON=python3.13" % v)'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  v=$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	  echo "$(PYTHON) -m venv is missing: install it (Debian, Ubuntu: apt install python$$v-venv), then run make again" >&2; exit 1; }

$(VENV)/.base: requirements/base.txt requirements/build.txt pyproject.toml | check-python
	@echo "Installing m2s into $(VENV) (a minute or so, only the first time and when requirements change)" >&2
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV) >&2
	@$(PINNED) -r requirements/build.txt >&2
	@$(PINNED) -r requirements/base.txt >&2
	@$(PIP) --no-deps --no-build-isolation -e . >&2
	@touch $@

$(VENV)/.dev: $(VENV)/.base requirements/dev.txt
	@echo "Installing the tools for tests into $(VENV)" >&2
	@$(PINNED) -r requirements/dev.txt >&2
	@touch $@
