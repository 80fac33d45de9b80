# make demo · make test: each sets up all it needs in .venv on a fresh machine (Python 3.11 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: demo test check clean

demo: $(VENV)/.package
	$(BIN)/python tools/demo.py

test: $(VENV)/.test check
	$(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-report=term tests

check: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(VENV)/.package: setup.py constraints.txt
	@echo "Installing into $(VENV) (about a minute) …"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --constraint constraints.txt --editable .
	touch $@

$(VENV)/.test: $(VENV)/.package
	$(PIP) install --constraint constraints.txt --editable ".[test]"
	touch $@

clean:
	rm -rf $(VENV) demo build *.egg-info .mypy_cache .pytest_cache .ruff_cache .coverage .hypothesis
