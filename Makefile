# What developers and CI run. `make` alone lists the targets.

.DEFAULT_GOAL := help
.PHONY: help toolchain demo compose-demo picture test check tree fmt clippy docs unit host newer matrix simulate fuzz mutants bench deny deb apt-repo reproducible

# Where cargo puts what it builds.
TARGET := $(or $(CARGO_TARGET_DIR),target)

# Tests of the real host each boot a container; more at once only wait for the same cores.
HOST_THREADS ?= 4

# Random lives of a host that `make simulate` lives through, 70 hours each on average: every fifth takes two weeks.
SEEDS ?= 15000

# Inputs for each test of what is read from others; `make unit` has 256.
CASES ?= 10000

# What cargo would say of an older compiler is that it does not understand Cargo.toml.
toolchain:
	@packaging/toolchain

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: toolchain ## Fail a service in several ways and see it healed, on this machine (KEEP=1 stays up)
	@cargo build --locked --package sentinel --package demo-service
	@$(TARGET)/debug/sentinel demo $(if $(KEEP),--keep)

compose-demo: ## The same with Docker Compose, every fault once; needs a Docker Engine, installs it where it can
	packaging/test-host/requirements >&2
	deploy/demo

picture: toolchain ## Record `make demo` again as the picture of the README
	@cargo build --locked --package sentinel --package demo-service
	@PROGRAM=$(abspath $(TARGET))/debug/sentinel packaging/picture

test: toolchain ## Everything that must pass: format, lints, docs, unit, simulation, real parts, real hosts; how long each took
	@packaging/parts tree fmt clippy docs unit host newer

check: toolchain tree fmt clippy ## The fast part: format, lints, and the tests beside the code
	cargo test --workspace --lib --bins --locked

tree: ## Nothing in the repository but sources
	@packaging/tree

fmt: ## Check the format
	cargo fmt --all --check

clippy: ## Lints; every warning is an error
	cargo clippy --workspace --all-targets --locked -- -D warnings
	@# What `make host` runs is no part of `--all-targets`, as it cannot run everywhere.
	cargo clippy -p sentinel --test systemd --test host --test docker --test compose --test receivers_real --test package --locked -- -D warnings

docs: ## The documentation of the code builds without a warning
	RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" cargo doc --workspace --no-deps --document-private-items --locked --quiet

unit: toolchain ## Everything that needs neither Docker nor root: the engine's simulation, and adapters against real parts
	cargo test --workspace --locked

host: toolchain ## The agent on a real host with systemd as PID 1; needs a Docker Engine, installs it where it can
	cargo build --workspace --locked
	@$(call with_docker,host,cargo test -p sentinel --locked --test systemd --test host --test docker --test compose --test receivers_real \
	    --test package --no-fail-fast -- --test-threads=$(HOST_THREADS))

newer: toolchain ## The same on Debian 13, as far as it depends on the host's systemd, polkit and dpkg
	@$(call with_docker,newer,packaging/test-host/suite trixie systemd && packaging/test-host/suite trixie package)

# Where the test hosts cannot be made that is said, and is a failure where CI is set.
define with_docker
mkdir -p target; \
if packaging/test-host/requirements >target/requirements.log 2>&1; then \
    $(2); \
else \
    echo "SUITE $(1) CANNOT RUN: $$(tail -n 1 target/requirements.log)" >&2; \
    test -z "$$CI"; \
fi
endef

# What of tests/host depends on the host's own version of systemd and polkit.
MATRIX_HOST := stops:: outages:: polkit:: sight:: blast:: sections::

matrix: toolchain ## The agent on hosts of every suite: Debian 12, 13 and sid, with systemd 252, 257 and the newest; an hour
	packaging/test-host/requirements >&2
	cargo build --workspace --locked
	for suite in bookworm trixie sid; do \
	    packaging/test-host/suite $$suite systemd && \
	    packaging/test-host/suite $$suite host $(MATRIX_HOST) || exit 1; \
	done
	@# Docker 20.10, 26.1 and the newest, where the daemon itself goes down; all else of tests/docker is on this machine's Engine.
	for suite in bookworm trixie sid; do packaging/test-host/suite $$suite docker || exit 1; done
	packaging/test-host/suite bookworm package
	packaging/test-host/suite trixie package

simulate: toolchain ## Random faults against the engine's invariants, SEEDS=15000 lives of a host, a million hours
	SENTINEL_SIM_SEEDS=$(SEEDS) cargo test --profile simulation --locked -p sentinel-engine --test invariants invariants_hold -- --nocapture

fuzz: toolchain ## Arbitrary bytes and words for everything that is read from others, CASES=10000 of each; minutes
	PROPTEST_CASES=$(CASES) cargo test --workspace --lib --locked fuzz::

mutants: ## Whether the engine's tests notice each guard that is missing; an hour, WORDS="budget storm" chooses
	agent/engine/mutants/run $(WORDS)

bench: ## Measure the agent beside systemd, monit and blackbox exporter, in 40 minutes (PARTS="heal alert probe load outage installed" chooses)
	packaging/test-host/requirements >&2
	cargo build --release --locked --package sentinel --package demo-service
	@# The program that measures is no part of what is measured, and shares its build with the tests.
	SENTINEL_BENCH_AGENT=$(abspath $(TARGET))/release/sentinel \
	    cargo bench --profile dev --locked --package sentinel --bench host -- $(PARTS)

deb: toolchain ## The packages, in target/deb; needs debhelper (ARCH=arm64 with a cross compiler, VERSION=1.2.3-1)
	@packaging/deb

apt-repo: deb ## A signed repository of them in target/apt (APT_KEY=... or a key of its own); needs apt-utils
	@packaging/apt-repo $$(ls -t $(TARGET)/deb/*.deb | head -n 2)

reproducible: ## Build the packages of this commit twice, in different surroundings, and compare them; half an hour
	packaging/reproducible

deny: ## Licences, sources and duplicates of the dependencies; needs cargo-deny
	cargo deny --locked check licenses bans sources
