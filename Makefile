# make demo | test | coverage | bench | lint | docs | clean. Each makes .venv, and installs in it what it needs, first.
PYTHON ?= python3
BIN := .venv/bin
TYPED := txproxy $(wildcard benchmarks) twisted/plugins/txproxy_plugin.py

.PHONY: help demo test coverage bench lint docs clean
.NOTPARALLEL:
# A set-up that was cut short is done again.
.DELETE_ON_ERROR:

help:
	@echo "make demo   try the proxy: three upstreams, a reverse and a forward proxy"
	@echo "make test   all tests (ARGS='-m \"not packaging\"' leaves out the slowest)"
	@echo "make coverage  the same, and which lines and branches they pass, in twice the time"
	@echo "make lint   ruff and mypy"
	@echo "make docs   the documentation, in docs/_build"
	@echo "make bench  the benchmarks (ARGS are theirs)"
	@echo "make clean  away with all that these have made"

demo: .venv/.base
	@$(BIN)/txproxy demo

test: .venv/.test
	$(BIN)/python -m pytest --numprocesses=auto --dist=worksteal $(ARGS)

# Not with each run of the tests: Python's tracer is asked at each line, and takes as long as they do.
coverage: .venv/.test
	$(BIN)/python -m pytest --numprocesses=auto --dist=worksteal --cov --cov-report=term $(ARGS)

bench: .venv/.bench .venv/.peers
	$(BIN)/python -m benchmarks $(ARGS)

# The types of what benchmarks import are those of the installed packages.
lint: .venv/.dev .venv/.bench
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(TYPED)

docs: .venv/.docs
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

clean:
	rm -rf .venv build dist docs/_build htmlcov .coverage .coverage.* *.egg-info
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
		echo "make: $(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

.venv/.base: setup.cfg setup.py pyproject.toml | .venv/bin/python
	@echo "Installing txproxy in .venv ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

# .venv/.NAME: with the extra NAME.
.venv/.%: setup.cfg setup.py pyproject.toml | .venv/bin/python
	@echo "Installing txproxy[$*] in .venv ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[$*]"
	@touch $@
