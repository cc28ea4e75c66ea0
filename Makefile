# Everything runs from .venv, which these rules make and keep up to date with pyproject.toml. A fresh machine needs
# only make and Python >= 3.11 with venv and pip.
#
#   make demo ARGS="--mutual -v"      make test ARGS="-k record -x"      make bench ARGS="--quick"

.DEFAULT_GOAL := help
.PHONY: help demo test bench check clean

VENV := .venv
BIN  := $(VENV)/bin
PIP  := $(BIN)/python -m pip --disable-pip-version-check --quiet
ARGS ?=

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

demo: $(VENV)/.cli ## watch a TLS 1.3 handshake, client and server, step by step
	@$(BIN)/pellucid demo $(ARGS)

# The slow part of the tests is crypto and real peers: two workers take about half the time of one.
test: $(VENV)/.test ## all tests; real peers that are missing are skipped and listed at the end
	@$(BIN)/python -m pytest -q -n auto --dist worksteal $(ARGS)

bench: $(VENV)/.bench ## one table, measured in one run beside ssl, pyOpenSSL and tlslite-ng
	@$(BIN)/python bench $(ARGS)

check: $(VENV)/.check ## ruff, mypy --strict, pyright
	@failed=0; \
	echo "ruff";    $(BIN)/ruff check || failed=1; \
	echo "mypy";    $(BIN)/mypy       || failed=1; \
	echo "pyright"; $(BIN)/pyright --pythonpath $(BIN)/python || failed=1; \
	exit $$failed

clean: ## removes .venv, caches and what builds leave
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the virtual environment ------------------------------------------------------------------------------------------
# One stamp for what each goal needs: the demo does not wait for the linters. A new pyproject.toml makes all of them stale.

$(VENV)/.cli: pyproject.toml $(VENV)/.made
	@echo "pellucid: installing the commands" >&2
	@$(PIP) install --editable '.[cli]'
	@touch $@

$(VENV)/.test: $(VENV)/.cli
	@echo "pellucid: installing what the tests need" >&2
	@$(PIP) install --group test
	@touch $@

$(VENV)/.bench: $(VENV)/.cli
	@echo "pellucid: installing what the benchmark compares with" >&2
	@$(PIP) install --group bench
	@touch $@

# With the tests' packages, so that the checkers see the types of what is imported.
$(VENV)/.check: $(VENV)/.test
	@echo "pellucid: installing ruff, mypy and pyright" >&2
	@$(PIP) install --group bench --group check
	@touch $@

# A name on the PATH may be there and not work (a version manager's shim), or lack venv: so each is tried. pip is brought
# up to date because the one that comes with Python 3.11 does not know dependency groups.
$(VENV)/.made:
	@for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11 python; do \
	  if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "pellucid: creating $(VENV) with $$($$python --version) (once, about a minute with what follows)" >&2; \
	    $$python -m venv --clear $(VENV) && $(PIP) install --upgrade 'pip>=25.1' && touch $@; exit; \
	  fi; \
	done; \
	echo "pellucid: no Python >= 3.11 with venv and pip was found; name one with 'make PYTHON=/path/to/python3'" >&2; \
	exit 1
