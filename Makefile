# What developers and CI run. `make` alone lists the targets.

.DEFAULT_GOAL := help
.PHONY: help demo test fmt clippy docs unit host simulate bench deny

# Where cargo puts what it builds.
TARGET := $(or $(CARGO_TARGET_DIR),target)

# Tests of the real host each boot a container; more at once only wait for the same cores.
HOST_THREADS ?= 3

# Random lives of a host that `make simulate` lives through, an hour and a half each.
SEEDS ?= 20000

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Fail a service in several ways and see it healed, on this machine (KEEP=1 stays up)
	@cargo build --locked --package sentinel --package demo-service
	@$(TARGET)/debug/sentinel demo $(if $(KEEP),--keep)

test: fmt clippy docs unit host ## Everything that must pass: format, lints, docs, unit, simulation, real parts, real host

fmt: ## Check the format
	cargo fmt --all --check

clippy: ## Lints; every warning is an error
	cargo clippy --workspace --all-targets --locked -- -D warnings

docs: ## The documentation of the code builds without a warning
	RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" cargo doc --workspace --no-deps --document-private-items --locked --quiet

unit: ## Everything that needs neither Docker nor root: the engine's simulation, and adapters against real parts
	cargo test --workspace --locked

host: ## The agent on a real host with systemd as PID 1; needs a Docker Engine, installs it where it can
	cargo build --workspace --locked
	@mkdir -p target
	@if packaging/test-host/requirements >target/requirements.log 2>&1; then \
	    cargo test -p sentinel --locked --test systemd --test host --no-fail-fast -- --test-threads=$(HOST_THREADS); \
	else \
	    echo "SUITE host CANNOT RUN: $$(tail -n 1 target/requirements.log)" >&2; \
	    test -z "$$CI"; \
	fi

simulate: ## Random faults against the engine's invariants, SEEDS=20000 lives of a host
	SENTINEL_SIM_SEEDS=$(SEEDS) cargo test --release --locked -p sentinel-engine --test invariants -- --nocapture

bench: ## Measure the agent beside systemd, monit and blackbox exporter, in ten minutes (PARTS="heal alert probe load" chooses)
	packaging/test-host/requirements >&2
	cargo build --release --locked --package sentinel
	@# The program that measures is no part of what is measured, and shares its build with the tests.
	SENTINEL_BENCH_AGENT=$(abspath $(TARGET))/release/sentinel \
	    cargo bench --profile dev --locked --package sentinel --bench host -- $(PARTS)

deny: ## Licences, sources and duplicates of the dependencies; needs cargo-deny
	cargo deny --locked check licenses bans sources
