# Every target sets up what it needs. `make help` lists them.

PYTHON ?= python3
VENV ?= .venv
SOURCE ?=
SIZE_LIMIT_MB ?= 350

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet
INSTALLED_FROM := pyproject.toml dms/__init__.py

.DEFAULT_GOAL := help
.PHONY: help run test test-platforms lint fmt config size clean

help: ## Show this list.
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | while IFS="$$(printf '\t')" read -r name text; \
	do printf '  make %-14s %s\n' "$$name" "$$text"; done
	@echo
	@echo '  make run SOURCE=/dev/video0   the same with a camera'

run: $(VENV)/.run-ready ## Play the demonstration (or SOURCE=…): alerts as they come, a summary at the end.
	@mkdir -p out
	$(BIN)/dms run --config configs/demo.yaml --set sinks.jsonl.path=out/demo.jsonl $(if $(SOURCE),--source '$(SOURCE)')

test: $(VENV)/.dev-ready ## Run all tests, on all processors.
	$(BIN)/python -m pytest --numprocesses logical --dist worksteal

test-platforms: $(VENV)/.platforms-ready ## Prove every engine file on all runtimes; needs none of their hardware.
	$(BIN)/python -m pytest tests/platforms tests/contracts/test_backends.py
	$(BIN)/dms engines build all --aot sm86,sm89,sm120
	printf '%s\n' eyes distraction fatigue face | xargs -P "$$(nproc)" -I NET \
	    $(BIN)/dms engines verify NET --backend ort --backend openvino --backend litert --backend qnn

lint: $(VENV)/.dev-ready ## Check style, types and the import order; change nothing.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: $(VENV)/.dev-ready ## Format, and repair what can be repaired.
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

config: $(VENV)/.dev-ready ## Write configs/default.yaml anew from the models in dms/config.
	$(BIN)/dms config show --default > configs/default.yaml.new
	mv configs/default.yaml.new configs/default.yaml

size: ## Install the core into a fresh environment and check its size.
	rm -rf build/size
	$(PYTHON) -m venv build/size
	build/size/bin/python -m pip install --disable-pip-version-check --quiet .
	build/size/bin/python -m pip uninstall --yes --quiet setuptools wheel 2>/dev/null || true
	@site=$$(build/size/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))'); \
	rm -rf "$$site"/pip "$$site"/pip-*; \
	du -sm "$$site"/* | sort -rn | head -12; \
	mb=$$(du -sm "$$site" | cut -f1); \
	echo "core install: $$mb MB (limit $(SIZE_LIMIT_MB) MB)"; \
	test "$$mb" -le $(SIZE_LIMIT_MB)

clean: ## Remove the environment, caches and outputs.
	rm -rf $(VENV) build dist out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find dms tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	{ echo 'Python 3.10 or newer is needed; choose one with: make PYTHON=python3.12 …' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	{ echo 'Python cannot make environments here; install its package first: sudo apt install python3-venv' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run-ready: $(INSTALLED_FROM) | $(VENV)/.made
	@echo 'installing into $(VENV): once, it takes a minute'
	$(PIP) --editable '.[demo]'
	@touch $@

$(VENV)/.dev-ready: $(INSTALLED_FROM) | $(VENV)/.made
	@echo 'installing into $(VENV): once, it takes a minute'
	$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.run-ready

$(VENV)/.platforms-ready: $(INSTALLED_FROM) | $(VENV)/.made
	@echo 'installing the runtimes into $(VENV): once, it takes minutes and about 3 GB'
	$(PIP) --editable '.[dev,platforms]'
	@touch $@ $(VENV)/.dev-ready $(VENV)/.run-ready
