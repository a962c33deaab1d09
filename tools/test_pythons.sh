#!/usr/bin/env bash
# Runs the unit, kernel and crash tests on every supported Python other than the one in .venv, and the kernel tests
# with the oldest kernel that is supported.
#
# One abi3 wheel serves them all. It is tested in a copy of the project without the package's source, so that
# nothing but the wheel can be imported. Ends with a line on what was tested and what was absent.
set -euo pipefail
cd "$(dirname "$0")/.."

SUPPORTED="3.11 3.12 3.13"
version_of() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true
}

# Prints an interpreter of exactly this version: from PATH, else from pyenv.
find_python() {
    local candidate root
    if [ "$(version_of "python$1")" = "$1" ]; then
        echo "python$1"
        return
    fi
    root=$(pyenv root 2>/dev/null) || return 0
    for candidate in "$root"/versions/"$1".*/bin/python; do
        if [ "$(version_of "$candidate")" = "$1" ]; then
            echo "$candidate"
            return
        fi
    done
}

build_wheel() {
    rm -rf build/wheels
    .venv/bin/maturin build --release --quiet --out build/wheels
}

# uv is several times quicker, but does not know what pip is configured to do; where it fails, pip decides.
install() {
    local python=$1
    shift
    .venv/bin/uv pip install --quiet --compile-bytecode --python "$python" "$@" 2>/dev/null ||
        "$python" -m pip install --quiet "$@"
}

# Makes .venv-<name> with a Python and, inside it, the copy in which the tests run. More arguments are pins that
# take the place of those in requirements.lock.
set_up() {
    local venv=.venv-$1 python=$2
    shift 2
    [ "$(version_of "$venv/bin/python")" = "$(version_of "$python")" ] || "$python" -m venv --clear "$venv"
    install "$venv/bin/python" --requirement requirements.lock
    [ $# = 0 ] || install "$venv/bin/python" "$@"
    # The version stays the same from build to build, hence --force-reinstall.
    install "$venv/bin/python" --no-deps --force-reinstall build/wheels/*.whl
    rm -rf "$venv/project"
    mkdir "$venv/project"
    local part
    for part in pyproject.toml README.md docs tests notebooks tools benches; do
        [ ! -e "$part" ] || cp -R "$part" "$venv/project/"
    done
}

# Runs folders of the tests in the copy inside .venv-<name>.
run_tests() (
    cd ".venv-$1/project"
    shift
    # IPython takes it for the environment it is in, and warns that it is another one.
    unset VIRTUAL_ENV
    ../bin/python -m pytest -m "not slow" "$@"
)

own=$(version_of .venv/bin/python)
tested="" absent="" failed=""
build_wheel
for version in $SUPPORTED; do
    [ "$version" != "$own" ] || continue
    python=$(find_python "$version")
    if [ -z "$python" ]; then
        absent+=" $version"
        continue
    fi
    echo "theus_nb: unit, kernel and crash tests on Python $version"
    set_up "$version" "$python"
    tested+=" $version"
    run_tests "$version" tests/unit tests/kernel tests/crash || failed+=" $version"
done

echo "theus_nb: kernel tests with the oldest kernel, on Python $own"
set_up oldest-kernel .venv/bin/python --requirement tests/kernel/oldest.txt
run_tests oldest-kernel tests/kernel || failed+=" oldest-kernel"

echo "theus_nb: .venv has Python $own; tested from the wheel beside it:${tested:- none}, oldest kernel;" \
    "absent on this machine:${absent:- none}; failed:${failed:- none}"
[ -z "$failed" ]
