# Two commands: `make run` sets up and opens the app on the embedded avatar; `make test` sets up and passes the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONSTRAINTS := constraints.txt
LOCALE := lora_repository/locale

.PHONY: run test lint messages clean

run: $(VENV)/.run
	@$(BIN)/liveavatar-tui

test: $(VENV)/.test
	@$(BIN)/python -m pytest -n 2 $(ARGS)

lint: $(VENV)/.test
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

# Gathers what is said in the sources, carries it into the Chinese catalogue and compiles that; then translate and repeat.
messages: $(VENV)/.test
	@$(BIN)/pybabel -q extract --no-wrap --add-location=file --omit-header \
		-o $(LOCALE)/liveavatar.pot lora_repository engine liveavatar_tui
	@$(BIN)/pybabel -q update --no-wrap --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date \
		-D liveavatar -i $(LOCALE)/liveavatar.pot -d $(LOCALE)
	@$(BIN)/pybabel compile --statistics -D liveavatar -d $(LOCALE)

# A stamp a set of extras: set-up runs again only when what it was made from has changed.
$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(VENV)/bin/python pyproject.toml $(CONSTRAINTS)
	$(BIN)/python -m pip install --disable-pip-version-check -q -c $(CONSTRAINTS) -e ".[engine]"
	@touch $@

$(VENV)/.test: $(VENV)/bin/python pyproject.toml $(CONSTRAINTS)
	$(BIN)/python -m pip install --disable-pip-version-check -q -c $(CONSTRAINTS) -e ".[engine,dev]"
	@touch $@ $(VENV)/.run

clean:
	rm -rf $(VENV) build dist *.egg-info
