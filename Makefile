# `make run` and `make test` work on a fresh machine (python3 with pip); again, they start at once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest --numprocesses 3 --dist worksteal
# A test that fails beside others, on a machine that is busy with them, runs once more alone. It has
# failed if it fails there, too; what needed that is in the first run's summary.
ALONE := || { test $$? -eq 1 && $(BIN)/python -m pytest --last-failed --last-failed-no-failures none
QUICK := "not every_family and not heavy and not llama_cpp and not vllm"
LOCK := pyproject.toml requirements/install.sh $(wildcard requirements/*.txt)

.DEFAULT_GOAL := help
.PHONY: help install run demo-slack demo-discord test lint types imports pytest test-families test-heavy test-llama-cpp test-vllm packages lock upgrade audit docs format clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' $(MAKEFILE_LIST)

install: $(VENV)/.run-installed ## install what `make run` runs, and start nothing

run: $(VENV)/.run-installed ## install what is missing, fetch the pocket model, open the playground
	@$(BIN)/llava-bot run --open

demo-slack: $(VENV)/.run-installed ## a local Slack with the bot in it, in a page at http://127.0.0.1:8788
	@$(BIN)/python -m tests.servers.slack.demo --open

demo-discord: $(VENV)/.demo-installed ## a local Discord with the bot in it, in a page at http://127.0.0.1:8789
	@$(BIN)/python -m tests.servers.discord.demo --open

test: lint types imports pytest ## install what is missing and run the quick checks

lint: $(VENV)/.dev-installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/.dev-installed
	$(BIN)/mypy

imports: $(VENV)/.dev-installed
	$(BIN)/lint-imports

pytest: $(VENV)/.dev-installed packages
	$(PYTEST) -m $(QUICK) $(ALONE) -m $(QUICK); }

test-families: $(VENV)/.dev-installed ## the tests of the fast path with every family of models
	$(PYTEST) -m every_family $(ALONE) -m every_family; }

test-heavy: $(VENV)/.dev-installed packages ## the tests that take minutes: faults, fuzzing, building
	$(PYTEST) --timeout 480 -m heavy $(ALONE) --timeout 480 -m heavy; }

test-llama-cpp: $(VENV)/.dev-installed ## the model's server is a real llama.cpp (0.2 GB on the disk)
	@tests/llama_cpp/install.sh $(BIN)/python .cache/llama_cpp
	$(BIN)/python -m pytest -m llama_cpp tests/real_servers $(ALONE) -m llama_cpp tests/real_servers; }

test-vllm: $(VENV)/.dev-installed ## the model's server is a real vLLM, without a GPU (4 GB on the disk)
	@tests/vllm/install.sh $(BIN)/python .cache/vllm
	$(BIN)/python -m pytest -m vllm tests/real_servers $(ALONE) -m vllm tests/real_servers; }

lock: $(VENV)/.maintenance-installed ## after a change of dependencies: lock versions and hashes
	$(BIN)/python -m tests.project.lock --write

upgrade: $(VENV)/.maintenance-installed ## lock the newest versions
	$(BIN)/python -m tests.project.lock --write --upgrade

audit: $(VENV)/.maintenance-installed ## ask PyPI which locked packages have known vulnerabilities
	$(BIN)/python -m tests.project.audit

packages: ## Debian's packages for the tests: Chromium, zsh, fish, PostgreSQL
	@tests/install_packages.sh

docs: $(VENV)/.dev-installed ## the documents as a site, in .cache/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build

format: $(VENV)/.dev-installed ## write the code the way `make test` wants it
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean: ## remove everything that was installed or cached here
	rm -rf $(VENV) .cache .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

# Debian ships python3 without ensurepip; then pip of the system fills the environment.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "llava-bot needs Python 3.11 or newer: make PYTHON=python3.12 …" >&2; exit 1; }
	@echo "Making $(VENV) …"
	@$(PYTHON) -m venv --clear $(VENV) 2>/dev/null \
	  || { $(PYTHON) -m venv --clear --without-pip $(VENV) \
	       && $(PYTHON) -m pip --python $(BIN)/python install --quiet --require-hashes --requirement requirements/build.txt; }
	@$(BIN)/python -m pip --version >/dev/null
	@touch $@

$(VENV)/.run-installed: $(VENV)/.made $(LOCK)
	@echo "Installing; the first time this takes a few minutes …"
	@requirements/install.sh $(VENV) run
	@touch $@

$(VENV)/.demo-installed: $(VENV)/.made $(LOCK)
	@echo "Installing; the first time this takes a few minutes …"
	@requirements/install.sh $(VENV) run demo
	@touch $@ $(VENV)/.run-installed

$(VENV)/.dev-installed: $(VENV)/.made $(LOCK)
	@echo "Installing; the first time this takes a few minutes …"
	@requirements/install.sh $(VENV) run s3 demo dev
	@touch $@ $(VENV)/.run-installed $(VENV)/.demo-installed

$(VENV)/.maintenance-installed: $(VENV)/.dev-installed
	@requirements/install.sh $(VENV) run s3 demo dev maintenance
	@touch $@
