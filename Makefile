# Two commands do all set-up on a fresh machine: `make demo` runs the main job, `make test` runs the tests.
# TORCH chooses a torch for the installation, such as TORCH=torch==2.13.0; empty: the newest that pip finds.
# RESULTS is where the demo keeps its results, REPORT the page that it makes of them.

VENV ?= .venv
PYTHON ?= python3
TORCH ?=
RESULTS ?= results
REPORT ?= report.html
BIN := $(VENV)/bin
# Test files run side by side; more at once than cores, since many tests wait for Ray.
PYTEST := $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

# Every process that starts would compile what it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-fast soak check site wheel

demo: $(VENV)/.installed
	$(BIN)/lethe run configs/quickstart.yaml --results $(RESULTS)
	$(BIN)/lethe report --results $(RESULTS) --output $(REPORT)

test: $(VENV)/.installed
	$(PYTEST)

test-fast: $(VENV)/.installed
	$(PYTEST) -m "not slow"

soak: $(VENV)/.installed
	LETHE_SOAK_KILLS=200 $(BIN)/python -m pytest tests/fault_tests/test_soak.py

check: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

site: $(VENV)/.installed
	$(BIN)/python docs/build_site.py

wheel: $(VENV)/.installed
	rm -rf dist build/wheel
	$(BIN)/python -m build --wheel --no-isolation
	$(BIN)/python -m pip install --quiet --no-deps --target build/wheel dist/*.whl
	cd build/wheel && PYTHONPATH=. $(abspath $(BIN))/python -c "import lethe, unlearning; assert 'build/wheel' in lethe.__file__"

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(TORCH) -e ".[dev]"
	touch $@
