#!/bin/sh
# Creates .venv with the first Python that is new enough, or says in one sentence why it cannot.
# PYTHON=... names the interpreter to use instead of looking for one.
set -eu
cd "$(dirname "$0")/.."

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

version_of() {
    "$1" -c 'import platform; print(platform.python_version())' 2>/dev/null || echo "not a Python"
}

stop() {
    echo "theus_nb: $1" >&2
    exit 1
}

# An environment that somebody made by hand is kept: it may hold more than we know of.
if new_enough .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1; then
    exit 0
fi

if [ -n "${PYTHON:-}" ]; then
    command -v "$PYTHON" >/dev/null 2>&1 || stop "PYTHON=$PYTHON is not a command."
    new_enough "$PYTHON" ||
        stop "PYTHON=$PYTHON is $(version_of "$PYTHON"); theus_nb needs Python 3.11 or newer."
    found=$PYTHON
else
    found=
    for candidate in python3 python3.13 python3.12 python3.11 python; do
        if new_enough "$candidate"; then
            found=$candidate
            break
        fi
    done
    [ -n "$found" ] ||
        stop "no Python 3.11 or newer found on PATH; install one, or name it: make PYTHON=/path/to/python3.12"
fi

echo "theus_nb: creating .venv with Python $(version_of "$found")"
"$found" -m venv --clear .venv ||
    stop "$found cannot create environments; install its venv module (on Debian: apt-get install python3-venv)."
