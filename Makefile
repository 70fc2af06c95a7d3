# The doors of the project. `make` alone lists them.
#
# Everything is done by relative paths, so that the folder may have any name, also one with spaces.

.DEFAULT_GOAL := help
.PHONY: help setup shell lab lab-phase0 lab-phase1 lab-phase2 lab-phase3 lab-phase4 lab-phase5 slo load load-k8s chaos \
        hunt hunt-long sabotage mutants \
        notebooks jupyter test test-all test-rest test-unit test-integration test-faults test-laboratory \
        test-pages test-browser test-controls test-long test-chaos test-load test-docker test-k8s test-durations bench bench-long check fix lock docs \
        image image-load doctor up top down clean
MAKEFLAGS += --no-print-directory
PARTS := $(wildcard system lab scenarios chaos load helm)
TIER := .venv/bin/python -m lab.dev.tiers
# What has to be made before a lab starts: on Docker, the system's image as it is now.
MADE = $(if $(filter docker,$(SUBSTRATE)),image)
# Where the system runs, for `lab` and the phases; see lab/substrates/registry.py.
SUBSTRATE ?= local
# On which cluster, with SUBSTRATE=kubernetes: one of `kubectl config get-contexts`. It has to be
# named; what is the current one there is never used.
CONTEXT ?=
ifneq ($(CONTEXT),)
export MISSING_TABLE_KUBE_CONTEXT := $(CONTEXT)
endif
# Which load `make load` puts on the lab (a file of load/profiles/), and more options of Locust.
PROFILE ?= baseline
LOCUST_ARGS ?=
# Which experiments `make chaos` runs (files of chaos/experiments/ and chaos/kubernetes/), or which defects `make sabotage`
# plants (rows of docs/reference/sabotage.md); all if none is named.
ONLY ?=
# What `make image` builds, and more options of `docker build`.
IMAGE ?= messaging-platform:dev
IMAGE_ARGS ?=
# What `make image-load` builds.
LOAD_IMAGE ?= messaging-load:dev
# Let Locust of `make load-k8s` run in a Job beside the lab, not on this machine.
INSIDE ?=
# How long `make hunt` breaks things, and which schedules it draws.
MINUTES ?= 10
SEED ?= 1
# More options of pytest for any of the tests, such as PYTEST_ARGS="-k outbox".
PYTEST_ARGS ?=
# More options of `make bench`: `--write` puts the tables into docs/performance.md.
BENCH_ARGS ?=

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' Makefile

setup: ## install what is missing (programs and .venv); does nothing when all is there
	@sh lab/dev/setup/setup.sh

shell: setup ## open a shell in which `lab` alone is enough, instead of `.venv/bin/lab`
	@echo 'This shell finds `lab`, `locust`, `chaos` and `pytest`; `exit` leaves it.'
	@PATH="$(CURDIR)/.venv/bin:$$PATH" VIRTUAL_ENV="$(CURDIR)/.venv" "$${SHELL:-/bin/sh}"

lab: setup $(MADE) ## set up, then run a season through the pipeline and account for every message
	@.venv/bin/lab run --substrate $(SUBSTRATE)

lab-phase0: setup $(MADE) ## phase 0: the environment
	@.venv/bin/lab phase 0 --substrate $(SUBSTRATE)

lab-phase1: setup $(MADE) ## phase 1: message queue fundamentals
	@.venv/bin/lab phase 1 --substrate $(SUBSTRATE)

lab-phase2: setup ## phase 2: Kubernetes and Helm; on a cluster with CONTEXT=name, else its offline half
	@.venv/bin/lab phase 2 --substrate $(if $(MISSING_TABLE_KUBE_CONTEXT),kubernetes,$(SUBSTRATE))

lab-phase3: setup $(MADE) ## phase 3: backend integration
	@.venv/bin/lab phase 3 --substrate $(SUBSTRATE)

lab-phase4: setup $(MADE) ## phase 4: scraper integration
	@.venv/bin/lab phase 4 --substrate $(SUBSTRATE)

lab-phase5: setup $(MADE) ## phase 5: see everything (metrics, alerts, objectives)
	@.venv/bin/lab phase 5 --substrate $(SUBSTRATE)

slo: setup ## judge the objectives of the lab that is up, else of the latest run
	@.venv/bin/lab slo --idle-is-fine --substrate $(SUBSTRATE)

load: setup ## put load on the lab that is up, by Locust: PROFILE=ten-times (see docs/guides/load.md)
	@.venv/bin/locust -f load/locustfile.py --config load/profiles/$(PROFILE).conf --headless \
	    --substrate $(SUBSTRATE) $(LOCUST_ARGS)

load-k8s: setup ## a load on a lab of its own on a cluster: CONTEXT=name PROFILE=baseline; INSIDE=1: from within
	@.venv/bin/python -m load --substrate kubernetes --profile $(PROFILE) $(if $(INSIDE),--inside) \
	    -- $(LOCUST_ARGS)

chaos: setup $(MADE) ## break a lab on purpose by every experiment, and write a page: ONLY=worker-kill for one
	@.venv/bin/python -m chaos --substrate $(SUBSTRATE) $(ONLY)

hunt: setup $(MADE) ## break it at random under load: MINUTES=10 SEED=1 (see docs/guides/hunts.md)
	@.venv/bin/lab hunt --minutes $(MINUTES) --seed $(SEED) --substrate $(SUBSTRATE)

hunt-long: setup ## the same for hours: some 200 schedules and a million messages
	@.venv/bin/lab hunt --minutes 240 --seed $(SEED) --rate 400 --keep-going --substrate $(SUBSTRATE)

sabotage: setup ## would the lab notice? plant defects, one by one: ONLY="early-ack no-gate" for some
	@.venv/bin/python -m lab.dev.sabotage $(ONLY)

mutants: setup ## would a test notice? change the code that decides, one thing at a time; half an hour
	@sh lab/dev/setup/setup.sh mutants
	@.venv/bin/python -m lab.dev.mutants

notebooks: setup ## run every notebook against a live lab; writes their outputs anew
	@.venv/bin/python -m lab.dev.run_notebooks

# Jupyter refuses to run as root unless told otherwise; so does nothing else here.
jupyter: setup ## open the notebooks
	@.venv/bin/jupyter lab $$([ "$$(id -u)" != 0 ] || echo --allow-root) notebooks

test: setup ## everything that a change needs: check, unit and integration tests
	@$(TIER) test $(PYTEST_ARGS)

test-all: setup ## every test, also those that take long, chaos, load, containers
	@sh lab/dev/setup/setup.sh browser || : # its tests say what is missing
	@$(TIER) all $(PYTEST_ARGS)

test-unit test-integration test-faults test-laboratory test-pages test-controls test-long test-chaos test-load test-docker: test-%: setup
	@$(TIER) $* $(PYTEST_ARGS)

test-browser: setup ## the control room, used in a real browser; installs Chromium
	@sh lab/dev/setup/setup.sh browser
	@$(TIER) browser $(PYTEST_ARGS)

test-unit: ## the tests that need no services
test-integration: ## the tests that start real services
test-faults: ## all that can be broken under load, and a death at every crash point
test-laboratory: ## how labs start, break, mend, end, and are watched and shared
test-pages: ## the notebooks and the examples in docs/, run as a reader runs them
test-controls: ## the experiments without a guard, in which the lab or a test has to notice
test-long: ## the tests that take minutes each
test-chaos: ## hunts, and the experiments of the Chaos Toolkit
test-load: ## load by Locust
test-docker: ## the image, and the lab in containers: a season, phases, conformance

test-k8s: setup ## the lab on a cluster: CONTEXT=name, one of `kubectl config get-contexts`
	@$(TIER) kubernetes $(PYTEST_ARGS)

test-rest: setup # what of test-all is not in test and ends within WITHIN seconds
	@sh lab/dev/setup/setup.sh browser || : # its tests say what is missing
	@$(TIER) rest --within $(WITHIN) $(PYTEST_ARGS)

test-durations: setup ## run `make test` and write down how long each test takes
	@$(TIER) test --record $(PYTEST_ARGS)

bench: ## measure: publishing, other libraries beside ours, latency; some ten minutes
	@sh lab/dev/setup/setup.sh bench
	@.venv/bin/python -m load.bench $(BENCH_ARGS)

bench-long: ## measure how it grows with the queue and with the table
	@sh lab/dev/setup/setup.sh bench
	@.venv/bin/python -m load.bench.growth $(BENCH_ARGS)

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

image: ## build the system's container image: IMAGE=name:tag
	@docker build --file system/Dockerfile --tag $(IMAGE) $(IMAGE_ARGS) .

image-load: ## build the image with Locust, for INSIDE=1: LOAD_IMAGE=name:tag
	@docker build --file load/Dockerfile --tag $(LOAD_IMAGE) $(IMAGE_ARGS) .

doctor: ## say what this machine has and lacks; installs and changes nothing
	@sh lab/dev/setup/setup.sh doctor

up: setup ## start the whole system and leave it running
	@.venv/bin/lab up --substrate $(SUBSTRATE)

top: setup ## watch the lab that is up: queues, rates, workers, latency, objectives, alerts
	@.venv/bin/lab top --substrate $(SUBSTRATE)

down: ## end what `make up` has started
	@if [ -x .venv/bin/lab ]; then .venv/bin/lab down; fi

clean: ## end every lab of this folder; remove all that was made here: .venv, runs, caches
	@if [ -x .venv/bin/lab ]; then .venv/bin/lab down --all; fi
	@rm -rf .venv .lab .runs .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .benchmarks mutants
	@rm -rf ./*.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
