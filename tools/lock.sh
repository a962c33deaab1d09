#!/bin/sh
# Writes requirements.lock: one file, every version, for Python 3.11 and newer on every platform.
# Pins that are still possible stay; UPGRADE=1 moves all of them, UPGRADE=name only one package.
set -eu
cd "$(dirname "$0")/.."

case "${UPGRADE:-}" in
    "") upgrade= ;;
    1) upgrade=--upgrade ;;
    *) upgrade="--upgrade-package=$UPGRADE" ;;
esac

draft=.venv/requirements.lock
cp requirements.lock "$draft" 2>/dev/null || : >"$draft"
# fewest: one version for all Pythons wherever there is one, so that they are tested alike.
# $upgrade is one word or none, hence unquoted.
# shellcheck disable=SC2086
.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
    --group all --no-header --no-emit-index-url $upgrade --output-file "$draft" pyproject.toml >/dev/null
{
    echo "# Written by \`make lock\` from pyproject.toml (its dependencies and its group all): do not edit."
    cat "$draft"
} >requirements.lock
rm "$draft"
echo "theus_nb: requirements.lock holds $(grep -c '^[a-z0-9]' requirements.lock) packages"
