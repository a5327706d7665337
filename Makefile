# Everything runs in .venv. `uv` installs what it can (ten times faster than pip); torch comes through pip,
# because pip honors a locally provided CPU build where there is one, and uv does not look for it.
PYTHON ?= python3
TORCH  ?= torch==2.13.0
VENV   := .venv
BIN    := $(VENV)/bin
export LANGGRAPH_STRICT_MSGPACK := true
export ANONYMIZED_TELEMETRY := False
export XDG_RUNTIME_DIR ?= /tmp

.PHONY: setup
setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -c "import uv" 2>/dev/null || $(BIN)/pip install --quiet --disable-pip-version-check uv
	$(BIN)/python -c "import torch" 2>/dev/null || $(BIN)/pip install --quiet --disable-pip-version-check "$(TORCH)"
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e ".[dev]"
	touch $@
