# make demo · make test: each sets up all it needs in .venv on a fresh machine (Python 3.11 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: demo test check clean

demo: $(VENV)/.package
	$(BIN)/python tools/demo.py

test: $(VENV)/.test
	$(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-report=term tests
	$(MAKE) check

check: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Expected Python 3.11 or newer (make PYTHON=python3.12 …). Received: $$($(PYTHON) --version)"; exit 2; }
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.package: $(VENV)/.created setup.py constraints.txt
	@echo "Installing into $(VENV) (about a minute) …"
	$(PIP) install --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.package
	$(PIP) install --constraint constraints.txt --editable ".[test]"
	@touch $@

clean:
	rm -rf $(VENV) demo build *.egg-info .mypy_cache .pytest_cache .ruff_cache .coverage .hypothesis
