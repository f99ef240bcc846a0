# `make run` and `make test` are all that a newcomer needs; both install into .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: install run test check format lock bench clean

install: $(VENV)/.installed

$(VENV)/.installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: install
	$(BIN)/agpt-scheduler serve

test: install
	$(BIN)/python -m pytest

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install
	$(BIN)/python -m benchmarks

# Rewrites the lock files from pyproject.toml; needs uv. The image gets the versions that the tests ran with.
COMPILE := uv pip compile --universal --generate-hashes --no-header --python-version 3.11
lock:
	$(COMPILE) pyproject.toml --all-extras -o requirements.lock
	$(COMPILE) pyproject.toml --extra gcs -c requirements.lock -o requirements-production.lock
	echo 'hatchling' | $(COMPILE) - -c requirements.lock -o requirements-build.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
