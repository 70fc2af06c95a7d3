# The doors of the project. `make` alone lists them.
#
# Everything is done by relative paths, so that the folder may have any name, also one with spaces.

.DEFAULT_GOAL := help
.PHONY: help setup lab lab-phase0 lab-phase1 lab-phase3 lab-phase4 lab-phase5 slo notebooks jupyter \
        test test-all test-rest test-unit test-integration test-long test-chaos test-load \
        test-durations bench check fix lock docs doctor up top down clean
MAKEFLAGS += --no-print-directory
PARTS := $(wildcard system lab scenarios chaos load)
TIER := .venv/bin/python -m lab.dev.tiers
# Where the system runs, for `lab` and the phases; see lab/substrates/registry.py.
SUBSTRATE ?= local
# More options of pytest for any of the tests, such as PYTEST_ARGS="-k outbox".
PYTEST_ARGS ?=

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' Makefile

setup: ## install what is missing (programs and .venv); does nothing when all is there
	@sh lab/dev/setup/setup.sh

lab: setup ## set up, then run a season through the pipeline and account for every message
	@.venv/bin/lab run --substrate $(SUBSTRATE)

lab-phase0: setup ## phase 0: the environment
	@.venv/bin/lab phase 0 --substrate $(SUBSTRATE)

lab-phase1: setup ## phase 1: message queue fundamentals
	@.venv/bin/lab phase 1 --substrate $(SUBSTRATE)

lab-phase3: setup ## phase 3: backend integration
	@.venv/bin/lab phase 3 --substrate $(SUBSTRATE)

lab-phase4: setup ## phase 4: scraper integration
	@.venv/bin/lab phase 4 --substrate $(SUBSTRATE)

lab-phase5: setup ## phase 5: see everything (metrics, alerts, objectives)
	@.venv/bin/lab phase 5 --substrate $(SUBSTRATE)

slo: setup ## judge the objectives of the lab that is up, else of the latest run
	@.venv/bin/lab slo --substrate $(SUBSTRATE)

notebooks: setup ## run every notebook against a live lab; writes their outputs anew
	@.venv/bin/python -m lab.dev.run_notebooks

jupyter: setup ## open the notebooks
	@.venv/bin/jupyter lab notebooks

test: check ## everything that a change needs: check, unit and integration tests
	@$(TIER) test $(PYTEST_ARGS)

test-all: check ## every test, also those that take long, chaos, load, containers
	@$(TIER) all $(PYTEST_ARGS)

test-unit test-integration test-long test-chaos test-load: test-%: setup
	@$(TIER) $* $(PYTEST_ARGS)

test-unit: ## the tests that need no services
test-integration: ## the tests that start real services
test-long: ## the tests that take minutes each
test-chaos: ## the experiments of the Chaos Toolkit
test-load: ## load by Locust

test-rest: setup # what of test-all is not in test and ends within WITHIN seconds
	@$(TIER) rest --within $(WITHIN) $(PYTEST_ARGS)

test-durations: setup ## run `make test` and write down how long each test takes
	@$(TIER) test --record-durations $(PYTEST_ARGS)

bench: setup ## measure the ways to publish, side by side
	@.venv/bin/pytest -o addopts= -p lab.experiment.plugin --benchmark-only system/tests/benchmarks

check: setup ## look only: format, style, types, import rules, lock file
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/ruff check --quiet .
	@.venv/bin/mypy $(PARTS)
	@.venv/bin/python -m lab.dev.imports
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
	@.venv/bin/lab up --substrate $(SUBSTRATE)

top: setup ## watch the lab that is up: queues, rates, workers, latency, objectives, alerts
	@.venv/bin/lab top --substrate $(SUBSTRATE)

down: ## end what `make up` has started
	@if [ -x .venv/bin/lab ]; then .venv/bin/lab down; fi

clean: ## end every lab of this folder; remove all that was made here: .venv, runs, caches
	@if [ -x .venv/bin/lab ]; then .venv/bin/lab down --all; fi
	@rm -rf .venv .lab .runs .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .benchmarks
	@rm -rf ./*.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
