# Everything lives in .venv/ and target/. Each command sets up what it needs; the second time it is quick.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
PY := $(VENV)/bin/python
CORE := theus_nb/_core.abi3.so
# More arguments for the tool behind a target: make test ARGS="-k deadlock".
ARGS ?=
export PYTHON
# An environment that happens to be active must not be the one we build into.
unexport CONDA_PREFIX
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

RUST_SOURCES := $(shell find rust/core rust/python -name '*.rs' -o -name Cargo.toml 2>/dev/null)

##@ Use
demo: build ## execute the quickstart notebook in a real kernel and list its runs
	@$(PY) tools/demo.py $(ARGS)

lab: build ## open JupyterLab on the quickstart notebook
	@$(PY) -m jupyter lab notebooks/01_quickstart.ipynb $(ARGS)

##@ Develop
build: $(VENV)/.core ## set up .venv and build the Rust core into the package

test: build ## tests of the Rust core, then of everything else (without the slow ones)
	@tools/browser_tools.sh
	@cargo test --quiet --package theus_core
	@cargo test --quiet --manifest-path rust/model/Cargo.toml --target-dir target/model
	@$(PY) -m pytest -m "not slow" --ignore tests/browser $(ARGS)
	@$(PY) -m pytest -m "not slow" tests/browser $(ARGS)

test-slow: build ## the slow tests only
	@$(PY) -m pytest -m slow $(ARGS)

pictures: build ## make the pictures of the README from the quickstart
	@$(PY) -m pytest tests/browser/test_readme_pictures.py --write-pictures

test-pythons: build ## tests from the wheel: on every other Python found, and with the oldest kernel
	@tools/test_pythons.sh

lint: build ## ruff, mypy, stubtest, clippy, rustfmt, tsc: all must be silent
	@tools/check_rust.sh clippy fmt
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/ruff format --check
	@$(PY) -m mypy
	@$(PY) -m mypy.stubtest --concise --mypy-config-file pyproject.toml theus_nb._core
	@cargo fmt --all --check
	@cargo fmt --check --manifest-path rust/model/Cargo.toml
	@PYO3_PYTHON=$(CURDIR)/$(PY) cargo clippy --quiet --workspace --all-targets -- -D warnings
	@tools/browser_tools.sh
	@if [ -x node_modules/.bin/tsc ]; then node_modules/.bin/tsc; else \
		echo "theus_nb: no TypeScript here: the front end was not checked" >&2; [ -z "$$CI" ]; fi

fmt: $(VENV)/.requirements ## format Python, notebooks and Rust
	@$(VENV)/bin/ruff check --quiet --select I --fix
	@$(VENV)/bin/ruff format
	@cargo fmt --all

bench: build ## run the benchmarks one after another; fails at the end if a goal was missed
	@missed=; for file in $(filter-out benches/_%,$(wildcard benches/*.py)); do \
		echo "== $$file"; $(PY) "$$file" $(ARGS) || missed="$$missed $$file"; done; \
		[ -z "$$missed" ] || { echo "goals missed in:$$missed"; exit 1; }

lock: $(VENV)/.python ## renew requirements.lock and Cargo.lock (UPGRADE=1 or UPGRADE=name)
	@test -x $(VENV)/bin/uv || $(PY) -m pip install --quiet uv
	@tools/lock.sh
	@if [ "$(UPGRADE)" = 1 ]; then cargo update --quiet; else cargo metadata --format-version 1 >/dev/null; fi

clean: ## remove everything that was built or installed here
	rm -rf $(VENV) .venv-* node_modules out target build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	rm -f theus_nb/_core*.so theus_nb/_core*.pyd
	find theus_nb tests tools benches -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

help: ## this list
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo lab build test test-slow pictures test-pythons lint fmt bench lock clean help

# The stamps lie inside .venv: whoever deletes it starts afresh.
$(VENV)/.python:
	@tools/make_venv.sh
	@touch $@

$(VENV)/.requirements: requirements.lock | $(VENV)/.python
	@echo "theus_nb: installing what requirements.lock pins (a minute or two the first time)"
	@$(PY) -m pip install --quiet --requirement requirements.lock
	@touch $@

# The library may have been deleted while its stamp is still there.
ifeq ($(wildcard $(CORE)),)
.PHONY: $(VENV)/.core
endif
$(VENV)/.core: $(VENV)/.requirements Cargo.toml Cargo.lock pyproject.toml $(RUST_SOURCES)
	@tools/check_rust.sh
	@echo "theus_nb: building the Rust core (a minute the first time)"
	@PIP_QUIET=1 $(VENV)/bin/maturin develop --release --quiet
	@touch $@

# Git carries it; this is for a checkout in which it was deleted.
Cargo.lock:
	@cargo generate-lockfile
