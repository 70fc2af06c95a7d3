# The doors of the project. `make` alone lists them.
#
# Everything is done by relative paths, so that the folder may have any name, also one with spaces.

.DEFAULT_GOAL := help
.PHONY: help setup lab lab-phase0 lab-phase1 lab-phase3 lab-phase4 lab-phase5 slo notebooks jupyter \
        test test-long bench check fix lock docs doctor up top down clean
MAKEFLAGS += --no-print-directory
PYTEST_ARGS ?= -n 2 --dist loadfile

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' Makefile

setup: ## install what is missing (programs and .venv); does nothing when all is there
	@sh lab/dev/setup/setup.sh

lab: setup ## set up, then run a season through the pipeline and account for every message
	@.venv/bin/lab run

lab-phase0: setup ## phase 0: the environment
	@.venv/bin/lab phase 0

lab-phase1: setup ## phase 1: message queue fundamentals
	@.venv/bin/lab phase 1

lab-phase3: setup ## phase 3: backend integration
	@.venv/bin/lab phase 3

lab-phase4: setup ## phase 4: scraper integration
	@.venv/bin/lab phase 4

lab-phase5: setup ## phase 5: see everything (metrics, alerts, objectives)
	@.venv/bin/lab phase 5

slo: setup ## judge the objectives of the lab that is up, else of the latest run
	@.venv/bin/lab slo

notebooks: setup ## run every notebook against a live lab; writes their outputs anew
	@.venv/bin/python -m lab.dev.run_notebooks

jupyter: setup ## open the notebooks
	@.venv/bin/jupyter lab notebooks

test: check ## set up, check, and run every test
	@.venv/bin/pytest $(PYTEST_ARGS)

test-long: setup ## the tests that take many minutes each
	@.venv/bin/pytest -m long

bench: setup ## measure the ways to publish, side by side
	@.venv/bin/pytest -o addopts= -p lab.experiment.plugin --benchmark-only system/tests/benchmarks

check: setup ## look only: format, style, types, import rules, lock file
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/ruff check --quiet .
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-logo
	@.venv/bin/python -m lab.dev.lockfile

fix: setup ## rewrite what can be rewritten: format and simple style
	@.venv/bin/ruff check --fix --quiet . || true
	@.venv/bin/ruff format .

lock: setup ## make requirements.lock anew from pyproject.toml
	@sh lab/dev/setup/lock.sh

docs: setup ## write the pages of docs/ anew that are made from code
	@.venv/bin/python -m lab.dev.docs

doctor: setup ## say what this machine has and lacks
	@.venv/bin/lab doctor

up: setup ## start the whole system and leave it running
	@.venv/bin/lab up

top: setup ## watch the lab that is up: queues, rates, workers, latency, objectives, alerts
	@.venv/bin/lab top

down: ## end what `make up` has started
	@if [ -x .venv/bin/lab ]; then .venv/bin/lab down; fi

clean: ## end every lab of this folder; remove all that was made here: .venv, runs, caches
	@if [ -x .venv/bin/lab ]; then .venv/bin/lab down --all; fi
	@rm -rf .venv .lab .runs .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@rm -rf ./*.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
