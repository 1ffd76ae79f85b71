# The words people try. Everything runs in .venv, which `make setup` makes from the lock.
PYTHON ?= python3
UV := .venv/bin/uv
RUN := .venv/bin/python
export UV_PROJECT_ENVIRONMENT := .venv
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: setup demo test test-slow test-all check format bench clean

setup: .venv/.ready

.venv/.ready: pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "Proctor needs Python 3.11, 3.12 or 3.13: make setup PYTHON=python3.12"; exit 1; }
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@test -x $(UV) || .venv/bin/python -m pip install --quiet --disable-pip-version-check "uv>=0.9"
	@$(UV) sync --frozen --inexact --all-extras --no-extra names --quiet
	@touch .venv/.ready

demo: setup
	@$(RUN) -m proctor.deployments.support.demo

test: setup
	@$(RUN) -m pytest -m "not slow and not local_model" -n 3 --dist loadfile

# What measures, or takes every core, has the machine for itself.
ALONE := $(wildcard tests/integration/test_benchmark_*.py) tests/integration/test_local_model.py tests/e2e/test_demo.py

test-slow: setup
	@$(RUN) -m pytest -m "slow or local_model" -n 2 --dist loadfile $(addprefix --ignore=,$(ALONE))
	@$(RUN) -m pytest -m "slow or local_model" $(ALONE)

test-all: test test-slow

check: setup
	@.venv/bin/ruff format --check src tests benchmarks docs/examples
	@.venv/bin/ruff check src tests benchmarks docs/examples
	@.venv/bin/mypy
	@.venv/bin/lint-imports

format: setup
	@.venv/bin/ruff format src tests benchmarks docs/examples
	@.venv/bin/ruff check --fix src tests benchmarks docs/examples

bench: setup
	@$(RUN) -m benchmarks.overhead
	@$(RUN) -m benchmarks.tau_replay --domain retail
	@$(RUN) -m benchmarks.chaos
	@$(RUN) -m benchmarks.chain
	@$(RUN) -m benchmarks.cache
	@$(RUN) -m benchmarks.router
	@$(RUN) -m benchmarks.resilience
	@$(RUN) -m benchmarks.budget
	@$(RUN) -m benchmarks.injection
	@$(RUN) -m benchmarks.tools_escape
	@$(RUN) -m benchmarks.tool_chain
	@$(RUN) -m benchmarks.mcp_faults
	@$(RUN) -m benchmarks.policy
	@$(RUN) -m benchmarks.faults
	@$(RUN) -m benchmarks.scale
	@$(RUN) -m benchmarks.api
	@$(RUN) -m benchmarks.security
	@$(RUN) -m benchmarks.prometheus
	@$(RUN) -m benchmarks.telemetry
	@$(RUN) -m benchmarks.anomalies

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .benchmarks
