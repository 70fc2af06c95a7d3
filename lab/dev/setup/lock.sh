#!/bin/sh
# Makes requirements.lock anew from pyproject.toml: every extra, every platform, with hashes.
# The tool for it lives in a folder that is thrown away.
set -eu

cd -- "$(dirname -- "$0")/../../.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

.venv/bin/python -m venv "$folder/uv"
"$folder/uv/bin/python" -m pip install --quiet --disable-pip-version-check uv
"$folder/uv/bin/uv" pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
    --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet -o requirements.lock
