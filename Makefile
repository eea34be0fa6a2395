# Every target makes its own environment first; a ready one costs nothing.
VENV ?= .venv
export VENV
BIN := $(VENV)/bin
CODE := tutelage tests scripts examples $(wildcard benchmarks)

.PHONY: env demo demo-support test test-offline check format docs bench bench-contract bench-detectors \
  bench-rendering bench-train bench-losses bench-packing bench-plan bench-train-kill bench-matrix \
  bench-attention bench-gpu bench-gate bench-curate bench-curate-speed bench-curate-kill \
  bench-curate-million bench-languages bench-ingest bench-metrics bench-sandbox bench-judges \
  bench-lm-eval bench-worth bench-injection bench-toxicity bench-harness bench-constrained \
  bench-memorisation

env:
	@scripts/env.sh

# The main job: real requests to an adapter, a report, a verdict and a release; then the same training from
# random weights, which shows what the base is worth.
INTENTS := examples/intents/recipe.yaml
demo: env
	$(BIN)/tutelage run $(INTENTS)
	$(BIN)/tutelage evaluate $(INTENTS) --set name=random-start --set train.init=random
	$(BIN)/tutelage compare intents random-start --project examples/intents

# The second task: the same commands on other data.
demo-support: env
	$(BIN)/tutelage run examples/support/recipe.yaml

test: env
	$(BIN)/python -m pytest

# The same with no network but loopback, on Linux; whoever is not root is as root in there.
test-offline: env
	unshare $(if $(filter 0,$(shell id -u)),,--map-root-user) --net -- sh -c 'ip link set lo up && exec $(BIN)/python -m pytest'

check: env
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/house

format: env
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

# Each alone on the machine: they are timed. What takes long, needs another interpreter (RIVAL, one
# that has trl, peft and datasets) or a GPU has a target of its own.
bench: env
	@set -e; for name in methods repeat served_prompts serve feedback_kill; do \
	  echo "benchmarks/$$name.py" >&2; $(BIN)/python "benchmarks/$$name.py"; done

# Random conversations on 20 chat templates, from row to engine.
bench-contract: env
	$(BIN)/python benchmarks/contract.py

# FOLDER holds labelled texts of others; benchmarks/detectors.py says which.
bench-detectors: env
	$(BIN)/python benchmarks/detectors.py $(FOLDER) $(if $(RIVAL),--rival $(RIVAL))

# Rows in which it is known what stands where; fails where a goal is missed.
ROWS ?= 100000
SEED ?= 1
bench-curate: env
	$(BIN)/python benchmarks/curate.py --rows $(ROWS) --seed $(SEED)

# Near-duplicates beside others' code: RIVALS holds `--rival NAME=PYTHON` of each.
bench-curate-speed: env
	$(BIN)/python benchmarks/curate_speed.py $(RIVALS)

# A million rows end to end: seconds, and the memory of all processes.
bench-curate-million: env
	$(BIN)/python benchmarks/curate_million.py

# A curation of a million rows killed again and again, beside one that is not.
bench-curate-kill: env
	$(BIN)/python benchmarks/curate_kill.py

# FOLDER holds public sets; benchmarks/injection.py says which. ATTACKS has PyRIT's.
bench-injection: env
	$(BIN)/python benchmarks/injection.py $(FOLDER) $(if $(ATTACKS),--attacks $(ATTACKS))

# FOLDER holds public sets, RATED PyRIT's; benchmarks/toxicity.py says which.
bench-toxicity: env
	$(BIN)/python benchmarks/toxicity.py $(FOLDER) --rated $(RATED)

# What an evaluation costs besides the engine.
bench-harness: env
	$(BIN)/python benchmarks/harness.py

# Trained on raw rows and on the same rows curated, asked alike; about 10 minutes.
bench-worth: env
	$(BIN)/python benchmarks/worth.py

# FOLDER holds translated interfaces; benchmarks/languages.py says which.
bench-languages: env
	$(BIN)/python benchmarks/languages.py $(FOLDER)

bench-ingest: env
	$(BIN)/python benchmarks/ingest.py

bench-rendering: env
	$(BIN)/python benchmarks/rendering.py --rival $(RIVAL)

bench-train: env
	$(BIN)/python benchmarks/training.py --rival $(RIVAL)

bench-losses: env
	$(BIN)/python benchmarks/losses.py --rival $(RIVAL)

# Without a RIVAL ours alone are measured, here and on a GPU.
bench-packing: env
	$(BIN)/python benchmarks/packing.py $(if $(RIVAL),--rival $(RIVAL))

# What a plan predicts beside what training takes.
bench-plan: env
	$(BIN)/python benchmarks/plan.py

# A training killed again and again, beside one that is not.
bench-train-kill: env
	$(BIN)/python benchmarks/train_kill.py

# Every method with every optimizer.
bench-matrix: env
	$(BIN)/python benchmarks/matrix.py

bench-attention: env
	$(BIN)/python benchmarks/attention.py

# How often the gate opens on noise, and on what is better beside the plan; about 15 minutes.
bench-gate: env
	$(BIN)/python benchmarks/gate.py

# FOLDER holds public sets; each script says which. RIVAL has lm-eval.
bench-metrics: env
	$(BIN)/python benchmarks/metrics.py $(FOLDER)

bench-sandbox: env
	$(BIN)/python benchmarks/sandbox.py $(FOLDER)

bench-judges: env
	$(BIN)/python benchmarks/judges.py $(FOLDER)

bench-memorisation: env
	$(BIN)/python benchmarks/memorisation.py

bench-constrained: env
	$(BIN)/python benchmarks/constrained.py

bench-lm-eval: env
	$(BIN)/python benchmarks/lm_eval_parity.py $(FOLDER) --rival $(RIVAL)

# On one CUDA device; the environment needs torch's CUDA build.
bench-gpu: env
	$(BIN)/python benchmarks/gpu.py $(if $(RIVAL),--rival $(RIVAL))

docs: env
	$(BIN)/python scripts/reference.py
