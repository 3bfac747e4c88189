# The one list of chores, by hand and in CI. Plain enough for the make 3.81 of macOS.

# Arguments for the chore: make test ARGS="-k filter", make serve ARGS="--port 8080"
ARGS ?=
# Kills of the server in `make crash`
ROUNDS ?= 50
# Seconds of `make soak`
SOAK ?= 3600
# The Python to make .venv from. Empty: python3, or when that is too old the newest of those we test.
PYTHON ?=

.PHONY: help serve test lint format docs bench crash soak lock third-party clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

serve: .venv/ok ## run the server
	@exec .venv/bin/recontact serve $(ARGS)

test: .venv/ok ## run all tests, on all cores
	.venv/bin/python -m pytest -n logical $(ARGS)

lint: .venv/ok ## check style, types and THIRD_PARTY.md
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/python tools/third_party.py --check

format: .venv/ok ## lay out the code, and repair what ruff can
	.venv/bin/ruff check --fix-only .
	.venv/bin/ruff format .

docs: .venv/ok ## write what is generated in docs/: pages, OpenAPI, XSD
	.venv/bin/python tools/docs.py

bench: .venv/bench-ok ## measure speed, 45 minutes; ARGS="--most 100000" takes 12
	.venv/bin/python bench/run.py $(ARGS)

crash: .venv/ok ## kill the server ROUNDS times and look for lost writes
	CRASH_ROUNDS=$(ROUNDS) .venv/bin/python -m pytest tests/test_crash.py -n 0 -s $(ARGS)

soak: .venv/ok ## load the server for SOAK seconds and look for what grows
	.venv/bin/python tests/soak.py --seconds $(SOAK) $(ARGS)

# uv and not pip-compile: a lock by pip-compile is for the Python and system that made it; this one carries
# markers for each Python from 3.11 and each system. uv also reads no pip settings, so all hashes are the
# registry's. --no-build: no package's code is run. Pins stay as they are unless ARGS=--upgrade.
pin = .venv/bin/uv pip compile --universal --python-version 3.11 --python .venv/bin/python \
  --no-python-downloads --generate-hashes --no-build --no-config \
  --custom-compile-command "make lock" --quiet

lock: .venv/ok ## pin the requirements again; ARGS=--upgrade takes newer versions
	$(pin) pyproject.toml --extra postgres --extra test --group build --output-file requirements.txt $(ARGS)
	$(pin) --group bench --constraint requirements.txt --output-file bench/requirements.txt $(ARGS)

third-party: .venv/ok ## write THIRD_PARTY.md from the lock
	.venv/bin/python tools/third_party.py

clean: ## remove all that make and the tools made, .venv too
	rm -rf .venv dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Says why a Python will not do. Debian leaves ensurepip out of python3.
why_not = import importlib.util as u, sys; \
  old = sys.version_info < (3, 11) and "recontact needs Python 3.11 or newer, this is " + sys.version.split()[0]; \
  bare = not u.find_spec("ensurepip") and "cannot make .venv; on Debian or Ubuntu: apt-get install python3-venv"; \
  sys.exit(old or bare or 0)

.venv/ok: requirements.txt pyproject.toml
	@echo "Setting up .venv (under a minute the first time)"
	@for python in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11); do \
	  if why=$$($$python -c '$(why_not)' 2>&1); then break; fi; \
	  first=$${first:-$$python: $$why}; python=; \
	done; \
	if [ -z "$$python" ]; then echo "$$first" >&2; exit 1; fi; \
	.venv/bin/python -m pip --version >/dev/null 2>&1 || $$python -m venv --clear .venv
	@.venv/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.txt
	@.venv/bin/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# The peer that bench/ measures; neither the package nor its tests need it.
.venv/bench-ok: .venv/ok bench/requirements.txt
	@.venv/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r bench/requirements.txt
	@touch $@
