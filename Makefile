# make site    set up, execute, build          make test    set up, build, run every test
# make serve   the same, then look at it       make chapter NAME=gru  run one chapter, show what it prints
# make lint    the linters alone               make seeds   every chapter with five sets of weights
# make clean   drop what was built (not .venv) make books   fetch the books that some tests need
# make reproducible  build twice, execute again: is anything another?
# make bench   speed of the from-scratch layers  make mutants  small faults, each of which a test has to find
# make pdf     the whole book as one PDF       make zip     the site in one file, to read offline
# make study   all long studies anew; STUDY=long_lag: one of them
# make results the tables of counting and networks, hours; ONLY="time_machine GRU 0": one row
# make devices speed of this machine's device: every chapter, every layer
# make lighthouse  what Google's auditor says of each page, on a phone
# make update  pin the newest versions that go together     make licences  what the packages may be used under

PYTHON ?= python3
VENV ?= .venv
KATEX := 0.16.22# the version inside sphinxcontrib-katex 0.9.11
PURGECSS := 8.0.0# leaves of the style sheets the rules in use
ESBUILD := 0.28.2# joins and minifies style sheets and scripts
LIGHTHOUSE := 13.5.0# apart, for it is large: only `make lighthouse` needs it
JUPYTERLAB := 4.6.6# apart, for its dependencies would slow each build by a second and a half
LAB := $(VENV)/jupyterlab
LH := $(VENV)/lighthouse
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
PORT ?= 8000
STUDY ?= $(filter-out record devices results,$(basename $(notdir $(wildcard book/_studies/*.py))))

# One thread a kernel: nearly as fast at the sizes of this book, and a busy machine does no harm.
export OMP_NUM_THREADS ?= 1
unexport PYTHONDONTWRITEBYTECODE # hundreds of programs run here: each module is compiled for the first
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: site pdf zip test lint serve chapter seeds mutants reproducible books bench study results devices lighthouse update licences clean \
  jupyterlab
.DELETE_ON_ERROR:

site: $(INSTALLED)
	$(BIN)/jupyter-book build . -W -n --keep-going
	@echo "Open $(CURDIR)/_build/html/index.html, or run: make serve"

test: $(INSTALLED)
	@MAKE="$(MAKE)" $(BIN)/python tests/all.py

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff
	$(BIN)/zizmor --offline --quiet .github/workflows

pdf zip: site
	$(BIN)/python .github/paper.py $@

serve: site
	@echo "Open http://localhost:$(PORT)"
	$(BIN)/python -m http.server $(PORT) --directory _build/html --bind 127.0.0.1

chapter: $(INSTALLED)
	@test -f "book/$(NAME).md" || { \
	  echo "NAME is '$(NAME)': name a chapter, as in: make chapter NAME=gru"; exit 1; }
	$(BIN)/python tests/seeds.py book/$(NAME).md --seeds 0 --show

seeds: $(INSTALLED)
	$(BIN)/python tests/seeds.py

mutants: $(INSTALLED)
	$(BIN)/python tests/mutants.py

reproducible: site
	$(BIN)/python tests/reproducible.py --cold

books: $(INSTALLED)
	$(BIN)/python -c 'from d2lhelpers.text import DOWNLOADS, load_text; [*map(load_text, DOWNLOADS)]'

bench: $(INSTALLED)
	$(BIN)/python tests/bench.py

study: $(INSTALLED)
	@set -e; for study in $(STUDY); do echo "$$study"; $(BIN)/python book/_studies/$$study.py; done

results: $(INSTALLED)
	$(BIN)/python book/_studies/results.py --only "$(ONLY)"

devices: $(INSTALLED)
	$(BIN)/python book/_studies/devices.py

update: $(INSTALLED)
	$(BIN)/python .github/update.py
	$(BIN)/uv pip compile requirements.txt --universal --python-version 3.11 --no-annotate \
	  --quiet --upgrade --custom-compile-command "make update" -o constraints.txt

licences: $(INSTALLED)
	$(BIN)/pip-licenses --order license --ignore-packages d2lhelpers

lighthouse: site $(LH)/installed
	$(BIN)/python tests/lighthouse.py $(LH)/node_modules/.bin/lighthouse

clean:
	rm -rf _build

jupyterlab: $(LAB)/installed

$(LAB)/installed: Makefile | $(INSTALLED)
	$(BIN)/python -m venv $(LAB)
	$(LAB)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile \
	  jupyterlab==$(JUPYTERLAB)
	@touch $@

$(LH)/installed: Makefile | $(INSTALLED)
	$(BIN)/npm install --silent --no-save --no-fund --no-audit --prefix $(LH) lighthouse@$(LIGHTHOUSE)
	@touch $@

$(INSTALLED): requirements.txt constraints.txt pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is too old: the book needs Python 3.11 or newer; run: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -c constraints.txt -e .
	$(BIN)/npm install --silent --no-save --no-fund --no-audit --prefix $(VENV) \
	  katex@$(KATEX) purgecss@$(PURGECSS) esbuild@$(ESBUILD)
	@touch $@
