# Everything that a person or CI does here. Needs Python 3.11 or newer, and nothing installed by hand.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
WORKERS ?= 2
UV ?= uv

PACKAGES := admission benchmarks certs cli controller loadtester sandbox shared tests

# What the environment brings comes first, then what `sandbox.prerequisites` fetched.
export PATH := $(CURDIR)/$(BIN):$(CURDIR)/$(VENV)/debian/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help demo test bench lint check crds rules lock clean

help: ## show the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

demo: $(VENV)/installed ## play the guide's story; ARGS=--fast takes two minutes
	@pinfeather demo $(ARGS)

test: check ## lint, types, layers, CRDs, rules, then all tests; ARGS goes to pytest
	@python -m sandbox.prerequisites
	python -m pytest -n $(WORKERS) $(ARGS)

bench: $(VENV)/installed ## measure speed and size; ARGS=memory for one group, ARGS="--json FILE" for samples
	python -m benchmarks $(ARGS)

lint: $(VENV)/installed-dev ## only style
	ruff check $(PACKAGES)
	ruff format --check $(PACKAGES)

check: lint ## style, types, layers, and whether CRDs and docs/rules.md are those of the code
	mypy $(PACKAGES)
	lint-imports
	python -m shared.crd --check manifests/crds
	python -m admission.rules --check docs/rules.md

crds: $(VENV)/installed ## write manifests/crds from the models
	python -m shared.crd manifests/crds

rules: $(VENV)/installed ## write docs/rules.md from the rules
	python -m admission.rules docs/rules.md

lock: ## write the two lock files from pyproject.toml; needs uv
	UV_CUSTOM_COMPILE_COMMAND="make lock" $(UV) pip compile --quiet --universal --python-version 3.11 \
		--generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links \
		--extra sandbox --extra build -o requirements.lock pyproject.toml
	UV_CUSTOM_COMPILE_COMMAND="make lock" $(UV) pip compile --quiet --universal --python-version 3.11 \
		--generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links \
		--all-extras -c requirements.lock -o requirements-dev.lock pyproject.toml

clean: ## end the sandbox, remove the environment and caches
	@if [ -x $(BIN)/pinfeather ]; then $(BIN)/pinfeather sandbox down; fi
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The stamps tell what is installed, so that a second run starts at once.
$(VENV)/installed: requirements.lock pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/installed-dev: requirements-dev.lock $(VENV)/installed
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	@touch $@
