# Where cargo puts what it builds.
TARGET := $(or $(CARGO_TARGET_DIR),target)

.PHONY: bench

bench: ## Measure the agent beside systemd, monit and blackbox exporter, in ten minutes (PARTS="heal alert probe load" chooses)
	packaging/test-host/requirements >&2
	cargo build --release --locked --package sentinel
	@# The program that measures is no part of what is measured, and shares its build with the tests.
	SENTINEL_BENCH_AGENT=$(abspath $(TARGET))/release/sentinel \
	    cargo bench --profile dev --locked --package sentinel --bench host -- $(PARTS)
