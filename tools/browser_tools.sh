#!/bin/sh
# Sees to what the browser tests need besides Python: the system's Chromium, and the packages of package-lock.json.
# What cannot be had is said in one sentence; the tests that need it are skipped then, and fail where CI is set.
set -u
cd "$(dirname "$0")/.."

say() {
    echo "theus_nb: $1" >&2
}

if ! command -v chromium >/dev/null 2>&1 && ! command -v chromium-browser >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "installing the package chromium, for the browser tests"
        { apt-get install -y -qq chromium || { apt-get update -qq && apt-get install -y -qq chromium; }; } \
            >/dev/null 2>&1 ||
            say "the package chromium could not be installed"
    else
        say "no Chromium here: install the package chromium for the browser tests"
    fi
fi

if command -v npm >/dev/null 2>&1; then
    # npm's own record of what it installed: newer than the lock, nothing is to be done.
    if ! [ node_modules/.package-lock.json -nt package-lock.json ]; then
        npm ci --silent >/dev/null 2>&1 || say "npm ci failed: the checks of the front end need its packages"
        [ ! -e node_modules/.package-lock.json ] || touch node_modules/.package-lock.json
    fi
else
    say "no npm here: install Node.js to check the timeline's front end"
fi
exit 0
