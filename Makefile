# make demo · make test: each sets up all it needs in .venv on a fresh machine (Python 3.11 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: demo report-demo test check docs test-backends test-jax test-torch test-web web reference peers clean

demo: $(VENV)/.package
	$(BIN)/python tools/demo.py

# A short search on the digits (about a minute), and its report.
report-demo: $(VENV)/.package
	$(BIN)/python tools/report_demo.py

test: $(VENV)/.test
	$(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-report=term tests
	$(MAKE) check

check: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The API reference, generated from the docstrings into build/docs.
docs: $(VENV)/.docs
	$(BIN)/python tools/reference.py

$(VENV)/.docs: $(VENV)/.package
	$(PIP) install --constraint constraints.txt --editable ".[docs]"
	@touch $@

# The page of zoo/web with the models that `automl-cells zoo build` has made on the shelf.
web: $(VENV)/.package zoo/web/node_modules
	$(BIN)/python tools/serve_web.py

# The page in a real browser; what it needs from npm and pip is fetched, the browser itself is the system's.
test-web: $(VENV)/.test zoo/web/node_modules
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || \
		{ echo "Expected Chromium (on Debian: apt-get install chromium). Received: none on the PATH"; exit 2; }
	$(PIP) install --constraint constraints.txt --editable ".[web]"
	$(BIN)/python -m pytest tests/web

zoo/web/node_modules: zoo/web/package.json zoo/web/package-lock.json
	@command -v npm >/dev/null || { echo "Expected npm. Received: none on the PATH"; exit 2; }
	npm ci --prefix zoo/web --no-audit --no-fund --ignore-scripts
	@touch $@

# The same package under the other backends of Keras, in environments without TensorFlow, against outputs of the first.
REFERENCE := build/backends

test-backends: test-jax test-torch

# What Keras' variables say when NumPy copies them, save under TensorFlow, is Keras' own affair.
BACKEND_TESTS := -m pytest -W "ignore:__array__ implementation:DeprecationWarning" tests/backends tests/training/test_engines.py tests/training/test_cell_engines.py

test-jax: .venv-jax/.test reference
	KERAS_BACKEND=jax AUTOML_CELLS_REFERENCE=$(REFERENCE) .venv-jax/bin/python $(BACKEND_TESTS)

# One thread: torch's threads wait for each other with full force, for ever where anything else runs on the machine.
test-torch: .venv-torch/.test reference
	KERAS_BACKEND=torch OMP_NUM_THREADS=1 AUTOML_CELLS_REFERENCE=$(REFERENCE) .venv-torch/bin/python $(BACKEND_TESTS)

reference: $(VENV)/.test
	KERAS_BACKEND=tensorflow TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/python -m tests.backends.reference $(REFERENCE)

# What `tools/benchmark.py search-peers` compares with, each in an environment of its own (about two minutes in all).
peers: $(VENV)/.test .venv-autokeras/.peer .venv-keras-tuner/.peer

.venv-%/.peer: tools/peers/%.txt
	@echo "Installing into .venv-$* (about a minute) …"
	rm -rf .venv-$*
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip --quiet --disable-pip-version-check install --requirement tools/peers/$*.txt
	@touch $@

.venv-%/.test: backends/%.txt backends/common.txt constraints.txt setup.py
	@echo "Installing into .venv-$* (about a minute) …"
	rm -rf .venv-$*
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip --quiet --disable-pip-version-check install --requirement backends/$*.txt
	.venv-$*/bin/python -m pip --quiet --disable-pip-version-check install --no-deps --editable .
	@touch $@

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
	rm -rf $(VENV) .venv-jax .venv-torch .venv-autokeras .venv-keras-tuner demo build zoo/web/node_modules *.egg-info .mypy_cache .pytest_cache .ruff_cache .coverage .hypothesis
