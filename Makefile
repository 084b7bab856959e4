# Short names for what one does here. Each works in a fresh clone: the environment is made and kept up by scripts/setup.py.
PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11 python3.14 python,$(shell command -v $(name) 2>/dev/null)) python3)
BIN := .venv/bin
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 $(UPGRADE)

.DEFAULT_GOAL := help
.PHONY: help setup dev demo test lint format bench prove retrace screenshots audit lock clean

help:  ## say what each target does
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 13

setup:  ## make .venv with everything hotfolder needs to run
	@$(PYTHON) scripts/setup.py

dev:  ## the same, with what tests and linters need
	@$(PYTHON) scripts/setup.py --dev

demo: setup  ## one job of each kind on the packaged miniatures
	@$(BIN)/hotfolder demo

test: dev  ## the whole test suite; ARGS="-k words" for a part
	@$(BIN)/python -m pytest $(ARGS)

lint: dev  ## style, types, layers, security
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/bandit --quiet --configfile pyproject.toml --severity-level medium --confidence-level medium --recursive hotfolder scripts

format: dev  ## let ruff mend and format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: dev  ## measure: start, queue, memory, pictures a minute, the pages over 100,000 pictures
	@$(BIN)/python bench/run.py $(ARGS)

prove: dev  ## the long proof that no crash loses or repeats a job, and no hand in outbox goes unseen (takes strace where it can)
	@command -v strace >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -y -qq strace >/dev/null; } || echo "strace is not here; what needs it is left out."
	@$(BIN)/python tests/prove/run.py $(ARGS)

retrace: dev  ## the first 200 steps of every miniature's training, against its committed curve (half an hour on one core)
	@folder=$$(mktemp -d) && for name in vae text flux lora kontext fill upscaler captioner cutout expander masker detector; do \
		echo $$name; $(BIN)/python -m hotfolder.miniatures.train $$name --steps 200 --into $$folder/$$name || exit 1; done

screenshots: dev  ## draw docs/screenshots anew, from a demo workspace (takes Chromium)
	@$(BIN)/python -m tests.browser.screenshots $(ARGS)

audit: dev  ## known vulnerabilities in the locked dependencies
	@$(BIN)/pip-audit --strict --requirement requirements.lock --no-deps --disable-pip

lock: dev  ## resolve the dependencies anew; UPGRADE=--upgrade for newer ones
	@$(COMPILE) pyproject.toml -o requirements.lock
	@$(COMPILE) -c requirements.lock --group dev -o requirements-dev.lock

clean:  ## remove the environment and all caches; never a picture, job or catalog
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find hotfolder scripts tests -name __pycache__ -type d -prune -exec rm -rf {} +
