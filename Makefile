# What one does in this repository. `make` alone lists it.

# Where cargo puts what it builds.
TARGET := $(or $(CARGO_TARGET_DIR),target)

.DEFAULT_GOAL := help
.PHONY: help demo

help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Fail a service in several ways and see it healed, on this machine (KEEP=1 stays up)
	@cargo build --locked --package sentinel --package demo-service
	@$(TARGET)/debug/sentinel demo $(if $(KEEP),--keep)
