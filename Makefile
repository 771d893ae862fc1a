# Everything a person or a CI machine starts from. Downloads and stamps go to .asknown/ and .venv/ of
# this checkout, so several checkouts on one machine do not meet. Nothing needs root.
#
# A step runs when its stamp is missing or older than what the step depends on; an interrupted step
# leaves no stamp and is run again.

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

UV_VERSION := 0.13.9
HOME_DIR := .asknown
STAMPS := $(HOME_DIR)/stamps
LOGS := $(HOME_DIR)/setup-logs
JARS := $(HOME_DIR)/jars
UV := $(HOME_DIR)/uv/bin/uv
BIN := .venv/bin

# Which Python 3.11 there is: Debian 12 calls it python3.
PYTHON := $(shell for p in python3.11 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null \
	&& command -v $$p && break; done)
DEBIAN := apt-get install -y python3 python3-venv openjdk-17-jdk-headless maven npm

# $(call step,NAME,COMMANDS): one line with the seconds it took; on failure the end of its log.
define step
@mkdir -p $(STAMPS) $(LOGS); \
printf '  %-11s ' '$(1)'; began=$$SECONDS; \
if ( set -e; $(2) ) > $(LOGS)/$(1).log 2>&1; then \
	touch $(STAMPS)/$(1); printf 'done   %4d s\n' $$((SECONDS - began)); \
else \
	printf 'FAILED %4d s   %s/%s.log ends:\n' $$((SECONDS - began)) $(LOGS) $(1); \
	tail -n 15 $(LOGS)/$(1).log | sed 's/^/      /'; \
	printf '  Next: make setup goes on where it stopped.\n'; exit 1; \
fi
endef

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: tools $(STAMPS)/uv $(STAMPS)/python $(STAMPS)/kafka $(STAMPS)/flink $(STAMPS)/clickhouse ## Download and build what the stack runs on (again: only what changed)

# Whole, because what the plugin holds are hard links into the others; then what the stack does not run goes.
.PHONY: trino
trino: tools $(STAMPS)/trino ## Download Trino for SQL over the lake (821 MB; runs on a JDK >= 24)

$(STAMPS)/trino: infra/trino/pom.xml
	$(call step,trino,rm -rf $(HOME_DIR)/trino; mvn -B -q -f infra/trino/pom.xml package; \
		mkdir $(HOME_DIR)/trino/server; \
		tar -xzf $(HOME_DIR)/trino/trino-server-*.tar.gz --strip-components=1 -C $(HOME_DIR)/trino/server; \
		rm $(HOME_DIR)/trino/trino-server-*.tar.gz; \
		find $(HOME_DIR)/trino/server/plugin -mindepth 1 -maxdepth 1 \
			! -name iceberg ! -name resource-group-managers -exec rm -rf {} +)

.PHONY: demo
demo: setup ## Set up, start the stack, run the platform once on real input
	@$(BIN)/asknown demo

.PHONY: test
test: setup lint ## Lint, types, layering, then every test but those of test-storm
	$(BIN)/python -m pytest -m "not e2e and not storm" -n 2 --dist loadfile $(PYTEST)
	$(BIN)/python -m pytest -m "e2e and not storm" $(PYTEST)

.PHONY: test-storm
test-storm: setup ## Three large storms, two more sessions with kills, and what test has no time for
	$(BIN)/python -m pytest -m storm tests/e2e $(PYTEST)

.PHONY: lineage
lineage: setup ## Ask Flink's planner what every column is made of: schemas/lineage.json
	$(BIN)/python -m jobs.lineage.write

.PHONY: lint
lint: setup ## Style, types, layering, SQL, dependencies
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict asknown
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint sql
	$(BIN)/deptry .

.PHONY: bench-normalize
bench-normalize: setup ## Measure the normalize job (workload W1); the last line is JSON
	$(BIN)/python -m bench.normalize

.PHONY: bench-backfill
bench-backfill: setup ## Measure a backfill of 50 M trades, bronze to silver to bars; the last line is JSON
	$(BIN)/python -m bench.backfill $(BACKFILL)

.PHONY: bench-heal
bench-heal: setup ## Measure the healing of one late hour of a million rows; the last line is JSON
	$(BIN)/python -m bench.heal $(HEAL)

.PHONY: bench-reference
bench-reference: setup ## Measure the rebuild of the reference truth, 1.2 M records; the last line is JSON
	$(BIN)/python -m bench.reference

.PHONY: bench-resolve
bench-resolve: setup ## Measure resolve over the API, 200,000 listings; the last line is JSON
	$(BIN)/python -m bench.resolve

.PHONY: up down status doctor
up: setup ## Start the local stack
	@$(BIN)/asknown up
down: ## Stop the local stack
	@test ! -x $(BIN)/asknown || $(BIN)/asknown down
status: ## Show the local stack
	@$(BIN)/asknown status
doctor: ## Check prerequisites, jars, ports, services
	@$(BIN)/asknown doctor

.PHONY: clean
clean: down ## Stop the stack, remove its data and every build product; downloads stay in their caches
	rm -rf .venv $(HOME_DIR) infra/flink-cluster/target

# Names everything that is missing at once, with the one line that installs it.
.PHONY: tools
tools:
	@missing=""; \
	[ -n "$(PYTHON)" ] || missing="$$missing Python-3.11-with-venv"; \
	if command -v javac > /dev/null; then \
		version=$$(javac -version 2>&1 | sed -E 's/^javac ([0-9]+).*/\1/'); \
		[ "$$version" -ge 17 ] 2> /dev/null || missing="$$missing JDK-17(found-$$version)"; \
	else missing="$$missing JDK-17"; fi; \
	command -v mvn > /dev/null || missing="$$missing Maven"; \
	command -v npm > /dev/null || missing="$$missing npm"; \
	if [ -n "$$missing" ]; then \
		printf 'Missing:%s\nInstall: %s\n' "$$missing" "$(DEBIAN)" >&2; exit 2; \
	fi

# In an environment of its own: it must not be among the packages it installs.
$(STAMPS)/uv: Makefile
	$(call step,uv,$(PYTHON) -m venv $(HOME_DIR)/uv; \
		$(HOME_DIR)/uv/bin/python -m pip install --disable-pip-version-check uv==$(UV_VERSION))

# Exactly the pinned list, without resolving (sync never does): apache-beam's own pins would not allow it. The checkout
# itself is put on the path by a .pth file; installing it would need a build backend.
$(STAMPS)/python: requirements/dev.txt $(STAMPS)/uv
	$(call step,python,export UV_PYTHON_DOWNLOADS=never VIRTUAL_ENV="$(CURDIR)/.venv"; \
		$(UV) venv --quiet --allow-existing --no-project --python "$(PYTHON)" .venv; \
		$(UV) pip sync --quiet requirements/dev.txt; \
		echo "$(CURDIR)" > .venv/lib/python3.11/site-packages/asknown-checkout.pth; \
		printf '%s\n' '#!/bin/sh' '# Written by make setup.' \
			'exec "$$(dirname "$$(readlink -f "$$0")")/python" -m asknown.cli.main "$$@"' > $(BIN)/asknown; \
		chmod +x $(BIN)/asknown)

$(STAMPS)/kafka: infra/kafka/pom.xml
	$(call step,kafka,rm -rf $(JARS)/kafka; mvn -B -q -f infra/kafka/pom.xml package)

$(STAMPS)/flink: infra/flink-cluster/pom.xml $(shell find infra/flink-cluster/src -type f 2>/dev/null)
	$(call step,flink,rm -rf $(JARS)/flink infra/flink-cluster/target; \
		mvn -B -q -f infra/flink-cluster/pom.xml package)

$(STAMPS)/clickhouse: infra/clickhouse/package.json
	$(call step,clickhouse,rm -rf $(HOME_DIR)/clickhouse; mkdir -p $(HOME_DIR)/clickhouse; \
		cp infra/clickhouse/package.json $(HOME_DIR)/clickhouse/; \
		cd $(HOME_DIR)/clickhouse; \
		npm install --no-package-lock --no-audit --no-fund --ignore-scripts --loglevel=error; \
		test -s node_modules/@chdb/lib-linux-x64-gnu/libchdb.so)
