# What a contributor repeats. Everything lives in .venv, from versions pinned with hashes.
PYTHON ?= python3
PORT ?= 8501
VENV := .venv
VSM := $(VENV)/bin/vsm
DEMO := sqlite:///demo.db
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test bench lint browser sample pictures lock clean

demo: $(VENV)/run.stamp  ## the sample in a dashboard on http://localhost:$(PORT)
	$(VSM) import sample_data/facts --store $(DEMO)
	$(VSM) dashboard --port $(PORT) --store $(DEMO) --config sample_data/vsm.toml

test: $(VENV)/test.stamp browser lint  ## everything that must hold
	$(VENV)/bin/python -m pytest

bench: $(VENV)/test.stamp  ## figures as ratios against a peer or a floor measured in the same run
	$(VENV)/bin/python bench/run.py

lint: $(VENV)/test.stamp
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

browser:  # Debian's Chromium, where there is none and we may install it
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || .ci/packages chromium fonts-dejavu

sample: $(VENV)/run.stamp  ## make sample_data/facts anew
	$(VENV)/bin/python sample_data/generate.py

pictures: $(VENV)/test.stamp browser  ## the README's pictures, from the running demo
	PORT=$(PORT) $(VENV)/bin/python docs/take_pictures.py

lock: $(VENV)/test.stamp  ## pin the versions anew
	$(VENV)/bin/python -m pip install --quiet uv
	$(VENV)/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet --upgrade --extra build \
	    pyproject.toml --output-file requirements/run.txt
	$(VENV)/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet --upgrade --extra build --extra test \
	    --constraint requirements/run.txt pyproject.toml --output-file requirements/test.txt

clean:
	rm -rf $(VENV) demo.db demo.db-wal demo.db-shm .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; say which with PYTHON=")'
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); .ci/packages python3-venv && $(PYTHON) -m venv $(VENV); }

$(VENV)/run.stamp: $(VENV)/bin/python requirements/run.txt pyproject.toml
	$(VENV)/bin/python -m pip install --quiet --require-hashes -r requirements/run.txt
	$(VENV)/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/test.stamp: $(VENV)/run.stamp requirements/test.txt
	$(VENV)/bin/python -m pip install --quiet --require-hashes -r requirements/test.txt
	touch $@
