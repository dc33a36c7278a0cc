# Measures the agent beside systemd, Monit and the blackbox exporter on a real host: agent/BENCHMARKS.md.
# PARTS chooses, as in `make bench PARTS='heal load'`. The agent is built as users get it; the program that measures
# is not part of what is measured, and shares its build with the tests.
.PHONY: bench
bench:
	cargo build --release --package sentinel
	cargo bench --profile dev --package sentinel --bench host -- $(PARTS)
