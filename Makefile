# Needs python3 (3.11 or newer, with venv) and make; everything else is installed into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA := $(abspath ../shared/data)
ifndef JAXSCALE_DATA_DIR
ifneq ($(wildcard $(DATA)),)
export JAXSCALE_DATA_DIR := $(DATA)
endif
endif

.PHONY: demo test lint bench coverage clean

demo: $(VENV)/run.ok
	$(BIN)/jaxscale demo

# In parts, a room each, all of which run, so that one that is cut off does not take the others with it.
test: lint
	@failed=; for part in 'tests/test_*.py' $(sort $(dir $(wildcard tests/*/test_*.py))); do \
	  $(BIN)/python -m pytest -n 2 --dist worksteal $$part || failed="$$failed $$part"; \
	done; test -z "$$failed"

lint: $(VENV)/test.ok
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The whole study of coverage: goes on where an interrupted run stopped, then writes docs/coverage.md.
coverage: $(VENV)/test.ok
	$(BIN)/python benchmarks/coverage.py --output benchmarks/results/coverage-cpu.jsonl
	$(BIN)/python benchmarks/coverage.py --page

bench: $(VENV)/test.ok
	$(BIN)/python benchmarks/bootstrap.py

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "jaxscale needs Python 3.11 or newer; $(PYTHON) is older. Run: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' || \
	  { echo "$(PYTHON) has no venv. Install it (Debian: apt install python3-venv), or run: make PYTHON=... with another Python."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.ok: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[plot]'
	touch $@

$(VENV)/test.ok: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[plot,data,test,dev]'
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache demo
