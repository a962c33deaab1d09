#!/bin/sh
# Says in one sentence what is missing of the Rust toolchain; silent when all is there.
# Arguments: cargo subcommands needed besides cargo itself, such as clippy and fmt.
set -eu
cd "$(dirname "$0")/.."

stop() {
    echo "theus_nb: $1" >&2
    exit 1
}

needed=$(sed -n 's/^rust-version = "\([0-9.]*\)"$/\1/p' Cargo.toml)

command -v cargo >/dev/null 2>&1 ||
    stop "no Rust toolchain found: install Rust $needed or newer (rustup is the usual way) and try again."

found=$(cargo --version | cut -d ' ' -f 2)
minor() {
    echo "$1" | cut -d . -f 2
}
[ "$(minor "$found")" -ge "$(minor "$needed")" ] ||
    stop "Rust $found is too old: theus_nb needs $needed or newer (rustup update)."

for tool in "$@"; do
    cargo "$tool" --version >/dev/null 2>&1 ||
        stop "cargo $tool is missing: add it with 'rustup component add clippy rustfmt'."
done
