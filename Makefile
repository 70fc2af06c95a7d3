# The doors of the project. `make` alone lists them.
#
# Everything is done by relative paths, so that the folder may have any name, also one with spaces.

.DEFAULT_GOAL := help
.PHONY: help setup lab test check fix lock doctor up down clean
MAKEFLAGS += --no-print-directory
PYTEST_ARGS ?= -n 2

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' Makefile

setup: ## install what is missing (programs and .venv); does nothing when all is there
	@sh lab/setup/setup.sh

lab: setup ## set up, then run the lab: start everything, load it, break it, account for it
	@.venv/bin/lab run

test: check ## set up, check, and run every test
	@.venv/bin/pytest $(PYTEST_ARGS)

check: setup ## look only: format, style, types, import rules, lock file
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/ruff check --quiet .
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-logo
	@.venv/bin/python -m lab.lockfile

fix: setup ## rewrite what can be rewritten: format and simple style
	@.venv/bin/ruff check --fix --quiet . || true
	@.venv/bin/ruff format .

lock: setup ## make requirements.lock anew from pyproject.toml
	@sh lab/setup/lock.sh

doctor: setup ## say what this machine has and lacks
	@.venv/bin/lab doctor

up: setup ## start the whole system and leave it running
	@.venv/bin/lab up

down: ## end what `make up` has started
	@if [ -x .venv/bin/lab ]; then .venv/bin/lab down; fi

clean: ## end every lab of this folder; remove all that was made here: .venv, runs, caches
	@if [ -x .venv/bin/lab ]; then .venv/bin/lab down --all; fi
	@rm -rf .venv .lab .runs .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@rm -rf ./*.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
