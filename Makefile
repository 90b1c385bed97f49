# The study's commands. Everything runs in .venv, which is made from requirements.lock when it is missing or outdated.
PYTHON ?= python3
DATA ?= digits
PORT ?= 5000
# Not from the environment, where some shells keep this machine's name under HOST.
HOST = 127.0.0.1
BIN := .venv/bin
# After Ctrl-C the command reports it and make ends by itself; a failed recipe would make it report it a second time.
once = trap : INT; $(1) || [ $$? -eq 130 ]
# The stages call `python`, which must be this one.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export MLFLOW_DISABLE_TELEMETRY := true
export DVC_NO_ANALYTICS := true
export RAY_USAGE_STATS_ENABLED := 0

.DEFAULT_GOAL := help
.PHONY: help study variant quick pilot bench ui sync test test-slow faults format lock clean

help:  ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

study: .venv/ready  ## Run the study (what is up to date is left alone) and print the verdict
	@$(call once,$(BIN)/python -m gan study)

variant: .venv/ready  ## Train and compare the variant NAME of params.yaml, published runs untouched
	@test -n "$(NAME)" || { echo "error: name a variant: make variant NAME=softer_labels" >&2; exit 1; }
	@$(call once,$(BIN)/python -m gan variant "$(NAME)")

quick: .venv/ready  ## The whole pipeline in a few minutes, in .scratch/; DATA=digits (no download) or mnist
	@$(call once,$(BIN)/python -m gan run-preset presets/quick-$(DATA).yaml .scratch/quick-$(DATA))

pilot: .venv/ready  ## How many seeds does the study need? Other seeds, in .scratch/
	@$(call once,$(BIN)/python -m gan run-preset presets/pilot.yaml .scratch/pilot && \
		$(BIN)/python -m gan power .scratch/pilot/reports)

bench: .venv/ready  ## Measure training on this machine beside the tutorial's loop and the roofline (minutes)
	@$(BIN)/dvc repro download
	@$(BIN)/python -m gan bench

ui: .venv/ready  ## The MLflow page over all runs, on http://127.0.0.1:5000 (or HOST and PORT)
	@$(BIN)/python -m stages.track --strict
	@case "$$MLFLOW_TRACKING_URI" in \
		http*) echo "The runs are on $$MLFLOW_TRACKING_URI" ;; \
		*) case "$(HOST)" in 127.0.0.1|localhost|::1) ;; \
			*) echo "warning: whoever reaches this machine at $(HOST) can change the runs" >&2 ;; esac; \
		$(BIN)/mlflow ui --host "$(HOST)" --port $(PORT) --backend-store-uri "$${MLFLOW_TRACKING_URI:-sqlite:///mlflow.db}" ;; \
	esac

sync: .venv/ready  ## Bring MLflow up to date with the files, or make it anew from them
	@$(BIN)/python -m stages.track --strict

test: .venv/ready  ## Lint, types, the arrows between the rooms, and tests
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo --no-cache
	@$(BIN)/pytest -m "not slow and not published"

test-slow: .venv/ready  ## The tests that run whole pipelines (minutes)
	@$(BIN)/pytest -m "slow and not published"

faults: .venv/ready  ## Inject every fault many times (under an hour); the table goes to reports/faults.json
	@$(BIN)/pytest --campaign reports/faults.json

format: .venv/ready  ## Format the code
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

lock:  ## Renew requirements.lock from pyproject.toml (needs uv)
	uv pip compile pyproject.toml --group dev --universal --generate-hashes --python-version 3.11 \
		--no-annotate --no-header --output-file requirements.lock

clean:  ## Remove the environment and scratch copies; data and runs stay
	rm -rf .venv .scratch .pytest_cache .mypy_cache .ruff_cache

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("error: Python 3.11 or newer is needed; set PYTHON=") if sys.version_info < (3, 11) else 0'
	@echo "Making the environment in .venv (about two minutes, 7 GB) ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
