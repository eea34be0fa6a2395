# Every target makes its own environment first; a ready one costs nothing.
VENV ?= .venv
export VENV
BIN := $(VENV)/bin
CODE := tutelage tests scripts $(wildcard benchmarks)

.PHONY: env demo test check format bench docs

env:
	@scripts/env.sh

# The main job: real requests to an adapter, a report and a verdict.
demo: env
	$(BIN)/tutelage run examples/intents/recipe.yaml

test: env
	$(BIN)/python -m pytest

check: env
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/house

format: env
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

bench: env
	@set -e; for script in $(wildcard benchmarks/*.py); do echo "$$script" >&2; $(BIN)/python "$$script"; done

docs: env
	$(BIN)/python scripts/reference.py
