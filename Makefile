# make site    set up, execute, build          make test   set up, build, run every test
# make serve   the same, then look at it       make bench  speed of the from-scratch layers
# make clean   drop what was built (not .venv)  make study  error against lag, measured anew
# make devices speed of this machine's device: every chapter, every layer

PYTHON ?= python3
VENV ?= .venv
KATEX := 0.16.22# the version inside sphinxcontrib-katex 0.9.11
JUPYTERLAB := 4.6.6# apart, for its dependencies would slow each build by a second and a half
LAB := $(VENV)/jupyterlab
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
PORT ?= 8000

# One thread a kernel: nearly as fast at the sizes of this book, and a busy machine does no harm.
export OMP_NUM_THREADS ?= 1
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: site test lint serve bench study devices clean
.DELETE_ON_ERROR:

site: $(INSTALLED)
	$(BIN)/jupyter-book build . -W -n --keep-going
	@echo "Open $(CURDIR)/_build/html/index.html, or run: make serve"

test: site lint $(LAB)/installed
	$(BIN)/python tests/browser.py
	$(BIN)/python -m pytest tests
	$(BIN)/python tests/stranger.py

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/zizmor --offline --quiet .github/workflows

serve: site
	@echo "Open http://localhost:$(PORT)"
	$(BIN)/python -m http.server $(PORT) --directory _build/html --bind 127.0.0.1

bench: $(INSTALLED)
	$(BIN)/python tests/bench.py

study: $(INSTALLED)
	$(BIN)/python book/_studies/long_lag.py

devices: $(INSTALLED)
	$(BIN)/python book/_studies/devices.py

clean:
	rm -rf _build

$(LAB)/installed: Makefile | $(INSTALLED)
	$(BIN)/python -m venv $(LAB)
	$(LAB)/bin/python -m pip install --quiet --disable-pip-version-check jupyterlab==$(JUPYTERLAB)
	@touch $@

$(INSTALLED): requirements.txt pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is too old: the book needs Python 3.11 or newer; run: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -e .
	$(BIN)/npm install --silent --no-save --no-fund --no-audit --prefix $(VENV) katex@$(KATEX)
	@touch $@
