#!/bin/sh
# Brings what the lab needs: programs from the system's package manager, then Python packages in
# .venv. What is there already is left alone; a second run does nothing and needs no network.
#
#   sh lab/dev/setup/setup.sh            all of it
#   sh lab/dev/setup/setup.sh packages   only the programs
#   sh lab/dev/setup/setup.sh doctor     say what is missing, and change nothing
#   sh lab/dev/setup/setup.sh bench      all of it, and the libraries that `make bench` compares with
#   sh lab/dev/setup/setup.sh browser    all of it, and Chromium with what drives it in tests
#   sh lab/dev/setup/setup.sh mutants    all of it, and what `make mutants` needs
#
# Exit codes: 0 all there, 2 something is missing that this script cannot bring; it says what.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
project=$(CDPATH='' cd -- "$here/../../.." && pwd)
cd -- "$project"
log=.runs/setup.log # what apt has to say; ignored by git

say() { printf 'setup: %s\n' "$*"; }
give_up() {
    printf 'setup: %s\n' "$@" >&2
    exit 2
}

# --- what is there -------------------------------------------------------------------------------

# Prints a Python that will do: 3.11 or newer, able to make a virtual environment.
find_python() {
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
            >/dev/null 2>&1; then
            command -v "$name"
            return 0
        fi
    done
    return 1
}

has() {
    PATH=$PATH:/usr/sbin:/usr/lib/rabbitmq/bin:/opt/homebrew/bin:/opt/homebrew/sbin:/usr/local/sbin \
        command -v "$1" >/dev/null 2>&1
}

has_postgres() {
    for server in /usr/lib/postgresql/*/bin/postgres /opt/homebrew/opt/postgresql@*/bin/postgres \
        /usr/local/opt/postgresql@*/bin/postgres "$(command -v postgres || :)"; do
        [ -x "$server" ] || continue
        version=$("$server" --version | sed -n 's/[^0-9]*\([0-9][0-9]*\).*/\1/p')
        [ "${version:-0}" -ge 15 ] && return 0
    done
    return 1
}

# Whether an installation by apt.sh was cut off: its notes are there, or a package is half installed.
is_unfinished() {
    command -v dpkg-query >/dev/null 2>&1 || return 1
    [ ! -e /var/lib/missing-table-setup ] || return 0
    dpkg-query -W -f '${db:Status-Status}\n' python3-venv rabbitmq-server redis-server postgresql \
        prometheus prometheus-alertmanager ca-certificates 2>/dev/null |
        grep -qvxE 'installed|not-installed|config-files'
}

# Prints what is missing, one word each.
missing() {
    ! is_unfinished || echo repair
    find_python >/dev/null || echo python
    has rabbitmq-server && has epmd || echo rabbitmq
    has redis-server || echo redis
    has_postgres || echo postgresql
    has prometheus && has promtool || echo prometheus
    has prometheus-alertmanager || has alertmanager || echo alertmanager
    [ "$(uname -s)" != Darwin ] || has helm || echo helm
    [ "$(uname -s)" = Darwin ] || [ -e "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" ] ||
        [ -d /etc/pki/tls ] || echo certificates
}

# --- programs ------------------------------------------------------------------------------------

packages() {
    lacking=$(missing)
    [ -n "$lacking" ] || return 0
    say "missing: $(echo $lacking)"
    if command -v apt-get >/dev/null 2>&1; then
        with_apt $lacking
    elif command -v brew >/dev/null 2>&1; then
        with_brew $lacking
    else
        give_up "no package manager that this script knows (apt-get, brew); please install:" \
            "  Python 3.11 or newer, with venv" "  RabbitMQ 3.10 or newer, with Erlang's epmd" \
            "  Redis 6 or newer" "  PostgreSQL 15 or newer" \
            "  Prometheus 2.42 or newer, with promtool" "  Alertmanager 0.25 or newer"
    fi
    lacking=$(missing)
    [ -z "$lacking" ] || give_up "still missing, or too old in this system: $(echo $lacking)" \
        "(Debian 12, Ubuntu 24.04 and later releases have what is needed)"
}

# The exporters of Redis and PostgreSQL are only wanted: they are asked for along with something that
# is needed, and never for their own sake. So a release without them costs nothing at each run.
with_apt() {
    names= wanted='--wanted prometheus-redis-exporter prometheus-postgres-exporter'
    for each in "$@"; do
        case $each in
            python) names="$names python3 python3-venv" ;;
            rabbitmq) names="$names rabbitmq-server" ;;
            redis) names="$names redis-server" ;;
            postgresql) names="$names postgresql" ;;
            prometheus) names="$names prometheus" ;;
            alertmanager) names="$names prometheus-alertmanager" ;;
            certificates) names="$names ca-certificates" ;;
            chromium) names="$names chromium fonts-dejavu-core" ;;
        esac
    done
    say "installing:${names:- nothing new, but finishing what was cut off} (a minute or two)"
    if [ "$(id -u)" = 0 ]; then
        logged sh "$here/apt.sh" $names $wanted ||
            give_up "the installation failed; the lines above say why, and $log all of it." \
                "Run it again to go on."
    elif command -v sudo >/dev/null 2>&1 && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
        say "asking sudo for it"
        sudo -v || ask_administrator
        logged sudo env ${http_proxy:+"http_proxy=$http_proxy"} ${https_proxy:+"https_proxy=$https_proxy"} \
            ${no_proxy:+"no_proxy=$no_proxy"} sh "$here/apt.sh" $names $wanted ||
            ask_administrator
    else
        ask_administrator
    fi
}

# Runs a command with its words in a log; shows our own of them, and the last ones if it fails.
logged() {
    mkdir -p "$(dirname "$log")"
    if "$@" >"$log" 2>&1; then code=0; else code=$?; fi
    grep '^setup: ' "$log" || :
    [ "$code" = 0 ] || tail -n 15 "$log" >&2
    return "$code"
}

ask_administrator() {
    give_up "installing these packages needs an administrator; please ask one to run:" \
        "  sh '$here/apt.sh'$names $wanted" \
        "or, which also starts services of the machine that the lab does not use:" \
        "  apt-get install --no-install-recommends$names"
}

with_brew() {
    names=
    for each in "$@"; do
        case $each in
            python) names="$names python@3.13" ;;
            rabbitmq) names="$names rabbitmq" ;;
            redis) names="$names redis" ;;
            postgresql) names="$names postgresql@17" ;;
            prometheus) names="$names prometheus" ;;
            alertmanager) names="$names alertmanager" ;;
            helm) names="$names helm" ;;
        esac
    done
    # Homebrew starts no service by itself; these keep it from upgrading what is there.
    HOMEBREW_NO_INSTALL_UPGRADE=1 HOMEBREW_NO_INSTALLED_DEPENDENTS_CHECK=1 brew install $names
}

# --- Python packages -----------------------------------------------------------------------------

# What the environment was made from and for: the pins, Python, and this folder.
fingerprint() {
    "$1" - <<'PYTHON'
import hashlib, pathlib, sys
digest = hashlib.sha256()
for part in ("requirements.lock", "pyproject.toml", "lab/dev/setup/helm.txt"):
    digest.update(pathlib.Path(part).read_bytes())
digest.update(f"{sys.version} {pathlib.Path.cwd()}".encode())
print(digest.hexdigest())
PYTHON
}

environment() {
    stamp=.venv/.made-from
    unfinished=.venv/.unfinished
    # Two set-ups of one folder take turns, where the system can make them.
    if command -v flock >/dev/null 2>&1; then
        exec 8<requirements.lock
        flock 8
    fi
    if [ -x .venv/bin/python ] && [ ! -e "$unfinished" ] && [ -x .venv/bin/lab ] &&
        [ "$(cat "$stamp" 2>/dev/null)" = "$(fingerprint .venv/bin/python 2>/dev/null)" ]; then
        return 0
    fi
    # One that was left half made, or whose Python is gone, cannot be trusted.
    if [ -e "$unfinished" ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
        rm -rf .venv
    fi
    say "making .venv and filling it with Python packages (some minutes, the first time)"
    mkdir -p .venv
    : >"$unfinished"
    rm -f "$stamp"
    [ -x .venv/bin/python ] || "$(find_python)" -m venv .venv
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
    export PIP_DISABLE_PIP_VERSION_CHECK PIP_ROOT_USER_ACTION
    .venv/bin/python -m pip install --quiet --require-hashes -r requirements.lock
    .venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
    .venv/bin/python -m lab.dev.helm || : # it says what is missing; only tests of the chart need it
    fingerprint .venv/bin/python >"$stamp"
    rm -f "$unfinished"
    say "ready"
}

# Into the same .venv: their lock files agree with the other one.
add() {
    if [ "$(cat ".venv/.$1" 2>/dev/null)" = "$(cksum <"requirements-$1.lock")" ]; then return 0; fi
    say "adding $2"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
        --require-hashes -r "requirements-$1.lock"
    cksum <"requirements-$1.lock" >".venv/.$1"
}

has_chromium() {
    has chromium || has chromium-browser || has google-chrome ||
        [ -x "/Applications/Chromium.app/Contents/MacOS/Chromium" ] ||
        [ -x "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" ]
}

browser() {
    if ! has_chromium; then
        say "missing: chromium"
        if command -v apt-get >/dev/null 2>&1; then
            with_apt chromium
        elif command -v brew >/dev/null 2>&1; then
            brew install --cask chromium
        fi
        has_chromium || give_up "please install Chromium; the tests of the tier browser need it"
    fi
    add browser "what drives a browser"
}

# --- looking only --------------------------------------------------------------------------------

# The lab's own doctor knows more; but it needs what a sick machine may lack.
doctor() {
    if [ -x .venv/bin/lab ] && .venv/bin/lab --version >/dev/null 2>&1; then
        exec .venv/bin/lab doctor
    fi
    lacking=$(missing)
    if [ -n "$lacking" ]; then
        say "missing on this machine: $(echo $lacking)"
    else
        say "every program that the lab needs is there"
    fi
    say "the project's own environment (.venv) is not there, or does not work"
    say "\`make setup\` brings what is missing; nothing was installed or changed now"
    exit 2
}

[ "${1:-}" != doctor ] || doctor
packages
[ "${1:-}" = packages ] || environment
[ "${1:-}" != bench ] || add bench "the libraries that are compared with"
[ "${1:-}" != browser ] || browser
[ "${1:-}" != mutants ] || add mutants "what makes mutants of the code"
