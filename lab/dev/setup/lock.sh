#!/bin/sh
# Makes the lock files anew from pyproject.toml: every platform, with hashes.
#
#   requirements.lock          every extra but the next three: what the set-up installs
#   requirements-bench.lock    the extra `bench` at versions that agree with it; for `make bench`
#   requirements-browser.lock  the extra `browser`, likewise; for `make test-browser`
#   requirements-mutants.lock  the extra `mutants`, likewise; for `make mutants`
#   system/requirements.lock   for the image: what of the first one the system itself needs
#   load/requirements.lock     for the image of the load: what of the first one that needs
#
# The tool for it lives in a folder that is thrown away.
set -eu

cd -- "$(dirname -- "$0")/../../.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

.venv/bin/python -m venv "$folder/uv"
"$folder/uv/bin/python" -m pip install --quiet --disable-pip-version-check uv

compile() {
    "$folder/uv/bin/uv" pip compile pyproject.toml --universal --python-version 3.11 \
        --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet "$@"
}

usual=$(.venv/bin/python -m lab.dev.lockfile extras)
compile $(printf -- '--extra %s ' $usual) -o requirements.lock
compile --extra bench --constraint requirements.lock -o requirements-bench.lock
compile --extra browser --constraint requirements.lock -o requirements-browser.lock
compile --extra mutants --constraint requirements.lock -o requirements-mutants.lock
compile --constraint requirements.lock -o system/requirements.lock
compile --extra lab --extra load --constraint requirements.lock -o load/requirements.lock
