# demo and test set up what they need in .venv; nothing outside this folder is touched.
PYTHON ?= python3
BIN := .venv/bin
export HF_HUB_OFFLINE = 1
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: demo test check format bench clean

demo: .venv/ready
	$(BIN)/manyheads run studies/quickstart.toml --workers 2

test: .venv/ready
	$(BIN)/pytest -n 2

check: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/pytest tests/test_architecture.py

format: .venv/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# torch comes first and alone, by pip, at the version of constraints.txt: its default build would bring gigabytes of CUDA.
.venv/ready: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet "$$(grep ^torch== constraints.txt)"
	$(BIN)/pip install --quiet -c constraints.txt -e ".[quickstart,methods,dev]"
	touch $@

clean:
	rm -rf .venv
