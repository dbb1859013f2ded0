# make demo    everything on real grocery data, then the live server, shop page and MLflow pages (DEMO_ARGS=--exit ends by itself)
# make test    all tests            make check    ruff and mypy

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check

demo: $(VENV)/installed
	$(BIN)/shopkeeper demo $(DEMO_ARGS)

test: $(VENV)/installed
	$(BIN)/python -m pytest $(TEST_ARGS)

check: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# --no-compile: a third of the time went into bytecode of modules that nothing imports
$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e ".[train,demo,dev]"
	@touch $@

.PHONY: benchmark-quality
benchmark-quality: $(VENV)/installed
	$(BIN)/python benchmarks/quality.py $(BENCH_ARGS)

.PHONY: benchmark-published
benchmark-published: $(VENV)/installed
	$(BIN)/python benchmarks/published.py $(BENCH_ARGS)

.PHONY: benchmark-training
benchmark-training: $(VENV)/installed
	$(BIN)/python benchmarks/training_speed.py $(BENCH_ARGS)

.PHONY: benchmark-ablation
benchmark-ablation: $(VENV)/installed
	$(BIN)/python benchmarks/ablation.py $(BENCH_ARGS)

.PHONY: benchmark-prepare
benchmark-prepare: $(VENV)/installed
	$(BIN)/python benchmarks/prepare_speed.py $(BENCH_ARGS)
