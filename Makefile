# `make` alone prints what there is to make: every target with a phrase behind `##`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
.DEFAULT_GOAL := help

##@ Start
.PHONY: help install demo

help: ## this list
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } /^[a-z-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

install: $(VENV)/installed ## the environment .venv with everything, and nothing else

demo: $(VENV)/installed ## all steps on real grocery data, then the live server (DEMO_ARGS=--exit ends by itself)
	$(BIN)/shopkeeper demo $(DEMO_ARGS)

##@ Develop
.PHONY: check test lock docs docs-serve

check: $(VENV)/installed ## ruff, formatting, mypy and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: $(VENV)/installed ## all tests (TEST_ARGS="tests/unit -k name")
	$(BIN)/python -m pytest $(TEST_ARGS)

lock: $(VENV)/installed ## locks/*.lock anew, after a change of constraints.txt: what the images install, with hashes (needs uv)
	$(BIN)/python -m scripts.lock_images

docs: $(VENV)/installed ## the documentation site in site/; a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

docs-serve: $(VENV)/installed ## the site on http://127.0.0.1:8001, built again at every change
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve --dev-addr 127.0.0.1:8001

##@ Measure (BENCH_ARGS=--help says more)
.PHONY: benchmark-ablation benchmark-cart benchmark-cold benchmark-customers benchmark-due benchmark-faults benchmark-forecasts benchmark-nights benchmark-outcomes benchmark-prepare benchmark-published benchmark-quality benchmark-reviews benchmark-serving benchmark-training

benchmark-quality: $(VENV)/installed ## every model on every data set, and docs/benchmarks.md
	$(BIN)/python benchmarks/quality.py $(BENCH_ARGS)

benchmark-cart: $(VENV)/installed ## one item of a basket hidden: rules beside co-occurrence, and docs/benchmarks-cart.md
	$(BIN)/python benchmarks/cart.py $(BENCH_ARGS)

benchmark-published: $(VENV)/installed ## a data set of the literature seed by seed, and docs/benchmarks-published.md
	$(BIN)/python benchmarks/published.py $(BENCH_ARGS)

benchmark-cold: $(VENV)/installed ## items and users without a past, and docs/benchmarks-cold.md
	$(BIN)/python -m benchmarks.cold $(BENCH_ARGS)

benchmark-training: $(VENV)/installed ## training speed beside RecTools and RePlay, and docs/benchmarks-training.md
	$(BIN)/python benchmarks/training_speed.py $(BENCH_ARGS)

benchmark-ablation: $(VENV)/installed ## what each group of features, and each retriever, brings
	$(BIN)/python benchmarks/ablation.py $(BENCH_ARGS)

benchmark-prepare: $(VENV)/installed ## preparing ten million events
	$(BIN)/python benchmarks/prepare_speed.py $(BENCH_ARGS)

benchmark-customers: $(VENV)/installed ## profiles, segments and groups of a million customers
	$(BIN)/python -m benchmarks.customers $(BENCH_ARGS)

benchmark-due: $(VENV)/installed ## what is due to be bought again, as a ranking and by calibration, and docs/benchmarks-due.md
	$(BIN)/python benchmarks/due.py $(BENCH_ARGS)

benchmark-forecasts: $(VENV)/installed ## who buys within so many days: trees, BG/NBD and RFM rules, and docs/benchmarks-forecasts.md
	$(BIN)/python -m benchmarks.forecasts $(BENCH_ARGS)

benchmark-reviews: $(VENV)/installed ## is a review content: the network beside n-grams, and docs/benchmarks-reviews.md
	$(BIN)/python benchmarks/reviews.py $(BENCH_ARGS)

benchmark-nights: $(VENV)/installed ## fourteen nights of refresh beside a model trained once, and docs/nights.md
	$(BIN)/python benchmarks/nights.py $(BENCH_ARGS)

benchmark-outcomes: $(VENV)/installed ## several outcomes beside one score, and docs/benchmarks-outcomes.md
	$(BIN)/python -m benchmarks.outcomes $(BENCH_ARGS)

benchmark-serving: $(VENV)/installed ## requests/s and latency of the live server, and docs/benchmarks-serving.md
	$(BIN)/python benchmarks/serving_speed.py $(BENCH_ARGS)

benchmark-faults: $(VENV)/installed ## kills, a full disk, a locked log, overload and a soak on the real server, and docs/faults.md
	$(BIN)/python -m benchmarks.faults $(BENCH_ARGS)

# --no-compile: a third of the time went into bytecode of modules that nothing imports
$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e ".[train,demo,redis,customers,dev,docs]"
	@touch $@
