# `make demo` repairs the example notebooks; `make test` runs every check and test. Both set up what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# What the agent knows and decides is covered whole, every branch of it.
WHOLE := --cov=nbagent.core --cov=nbagent.ports --cov=nbagent.loop --cov=nbagent.trials --cov-branch \
  --cov-fail-under=100 --cov-report=term-missing:skip-covered

.PHONY: demo test check lab bench picture clean

demo: $(STAMP)-examples
	$(BIN)/python example-notebooks/demo.py

test: check
	$(BIN)/python -m pytest $(WHOLE)

check: $(STAMP)-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lab: $(STAMP)-lab
	$(BIN)/jupyter lab example-notebooks

bench: $(STAMP)-dev
	$(BIN)/python -m benchmarks

picture: $(STAMP)-dev
	$(BIN)/python docs/picture.py

clean:
	rm -rf $(VENV) demo-output build dist

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "nbagent needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(STAMP)-examples: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[examples]'
	@touch $@

$(STAMP)-dev: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,examples]'
	@touch $@ $(STAMP)-examples

$(STAMP)-lab: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[examples,lab]'
	@touch $@
