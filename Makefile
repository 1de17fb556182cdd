# The words everyone uses: `make demo`, `make test`, `make check`. Each sets up what it needs.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
export OMP_NUM_THREADS ?= 1

.PHONY: help setup demo test check format docker clean

help:  ## say what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

setup: $(STAMP)  ## make .venv with Halescan and all it needs

$(STAMP): pyproject.toml constraints-cpu.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "Halescan needs Python 3.11, 3.12 or 3.13; name one: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null \
		|| { echo "This Python cannot make virtual environments; on Debian: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet $(if $(TORCH_INDEX_URL),--index-url $(TORCH_INDEX_URL),) -c constraints-cpu.txt torch
	$(BIN)/python -m pip install --quiet -c constraints-cpu.txt -e '.[dev]'
	@touch $@

demo: $(STAMP)  ## made-up phantoms: train, calibrate, examine, report (under 3 minutes)
	OMP_NUM_THREADS=$(JOBS) $(BIN)/halescan demo --out demo --overwrite

test: $(STAMP)  ## all tests
	$(BIN)/python -m pytest -n $(JOBS) -q

check: $(STAMP)  ## format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(STAMP)  ## lay out the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docker:  ## the image: CPU, works offline
	docker build -t halescan .

clean:  ## remove what the words above made
	rm -rf $(VENV) demo build dist .pytest_cache .mypy_cache .ruff_cache
