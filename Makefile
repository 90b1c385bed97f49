# The study's commands. Everything runs in .venv, which is made from requirements.lock when it is missing or outdated.
# Not from the environment, where some systems keep other things under such names: WSL this machine's under NAME.
PYTHON = python3
DATA = digits
NAME =
HOST = 127.0.0.1
PORT = 5000
ALLOWED =
BIN := .venv/bin
# Runs a module in the study's own environment, whatever is set in the caller's.
run := $(BIN)/python -E gan/environment.py
# Into .venv, whatever pip.conf says.
install := $(run) pip install -qq --disable-pip-version-check --no-user --target= --prefix "$(CURDIR)/.venv"
# Two modules at a time; more would share the cores with the pipelines that some tests start.
side_by_side = -n 2 --dist loadfile
# After Ctrl-C the command reports it and make ends by itself; a failed recipe would make it report it a second time.
once = trap : INT; $(1) || [ $$? -eq 130 ]

.DEFAULT_GOAL := help
.PHONY: help study variant search quick pilot bench peer ui sync test test-slow fake-gpu gpu faults format lock clean

help:  ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

study: .venv/ready  ## Run the study (what is up to date is left alone) and print the verdict
	@$(call once,$(run) gan study)

variant: .venv/ready  ## Train and compare the variant NAME of params.yaml, published runs untouched
	@test -n "$(NAME)" || { echo "error: name a variant: make variant NAME=softer_labels" >&2; exit 1; }
	@$(call once,$(run) gan variant "$(NAME)")

search: .venv/ready  ## Search the space of recipes under the objective NAME too, published runs untouched
	@test -n "$(NAME)" || { echo "error: name an objective: make search NAME=least_squares" >&2; exit 1; }
	@$(call once,$(run) gan search "$(NAME)")

quick: .venv/ready  ## A rehearsal: the study in small, in .scratch/, in a few minutes; DATA=digits (no download) or mnist
	@$(call once,$(run) gan run-preset presets/quick-$(DATA).yaml .scratch/quick-$(DATA))

pilot: .venv/ready  ## How many seeds does the study need? Other seeds, in .scratch/
	@$(call once,$(run) gan run-preset presets/pilot.yaml .scratch/pilot && \
		$(run) gan power .scratch/pilot/reports)

bench: .venv/ready  ## Measure training here, beside the tutorial's loop, JAX and the floor of the machine (5 minutes)
	@$(run) dvc repro download
	@$(run) gan bench

peer: .venv/ready  ## Add JAX to .venv, which `make bench` then measures as a peer (beyond requirements.lock)
	@$(install) --no-build-isolation --editable ".[bench]"

ui: .venv/ready  ## The MLflow page over all runs, on http://127.0.0.1:5000 (or HOST, PORT and ALLOWED names)
	@$(run) stages.track --strict
	@$(run) gan ui --host "$(HOST)" --port "$(PORT)" --allowed "$(ALLOWED)"

sync: .venv/ready  ## Bring MLflow up to date with the files, or make it anew from them
	@$(run) stages.track --strict

test: .venv/ready  ## Lint, types, import rules, and tests
	@$(run) ruff check
	@$(run) ruff format --check
	@$(run) mypy
	@$(BIN)/python -E $(BIN)/lint-imports --no-logo --no-cache
	@$(run) pytest $(side_by_side) -m "not slow and not published"

test-slow: .venv/ready  ## The tests that run whole pipelines (minutes)
	@$(run) pytest $(side_by_side) -m "slow and not published"

fake-gpu: .venv/ready  ## Train and score against a stand-in for CUDA that checks every call (needs g++, no GPU)
	@$(BIN)/python -E tests/gpu/fake/run.py

gpu: .venv/ready  ## On a machine with a GPU: the tests for one, and the benchmark (tests/gpu/there.py for bare machines)
	@$(BIN)/python -E tests/gpu/there.py run .work/gpu

faults: .venv/ready  ## Inject every fault many times (an hour or more); the table goes to reports/faults.json
	@$(run) pytest --campaign reports/faults.json

format: .venv/ready  ## Format the code
	@$(run) ruff check --fix
	@$(run) ruff format

lock:  ## Renew requirements.lock from pyproject.toml (needs uv)
	uv pip compile pyproject.toml --group dev --universal --generate-hashes --python-version 3.11 \
		--no-annotate --no-header --output-file requirements.lock

clean:  ## Remove the environment and scratch copies; data and runs stay
	rm -rf .venv .scratch .pytest_cache .mypy_cache .ruff_cache

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -E -c 'import sys; sys.exit("error: Python 3.11 or newer is needed; set PYTHON=") if sys.version_info < (3, 11) else 0'
	@echo "Making the environment in .venv (about two minutes, 7 GB) ..."
	@$(PYTHON) -E gan/environment.py venv .venv
	@$(install) --require-hashes -r requirements.lock
	@$(install) --no-deps --no-build-isolation --editable .
	@touch $@
