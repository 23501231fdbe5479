# demo and test set up what they need in .venv; nothing outside this folder is touched.
PYTHON ?= python3
BIN := .venv/bin
SPEED := docs/results/speed
API := $(addprefix manyheads., api report.notebook core.values core.problems core.settings datasets encoders heads sharing \
       sampling weighting penalties analyses)
export HF_HUB_OFFLINE = 1
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: demo test test-all check docs format torture bench clean

demo: .venv/ready
	$(BIN)/manyheads run studies/quickstart.toml --workers 2

# What is not marked slow: a representative of each kind, in less than five minutes on two quiet cores.
test: .venv/ready
	$(BIN)/pytest -n 2 --dist loadfile -m "not slow"

test-all: .venv/ready
	MANYHEADS_FUZZ=300 $(BIN)/pytest -n 2 --dist loadfile

# Also builds the wheel, and installs it into an environment without torch.
check: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/pytest tests/test_architecture.py tests/test_packaging.py

# The long part of the tests that attack: runs killed 200 times at random and at every point of a save, and 10,000
# mutated inputs to each reader. About an hour on two cores; the short part is in `make test`.
torture: .venv/ready
	PYTHONPATH=tests:tests/support $(BIN)/python tests/support/torture.py --kills 200
	MANYHEADS_FUZZ=10000 $(BIN)/pytest -n 2 tests/fuzz

# Every figure of docs/results/speed.md again. Wants a machine that does nothing else meanwhile.
bench: .venv/ready .venv/peers
	mkdir -p $(SPEED)
	$(BIN)/python benchmarks/training.py --tasknet .venv/peers --json $(SPEED)/training.json
	$(BIN)/python benchmarks/inference.py --json $(SPEED)/inference.json
	$(BIN)/python benchmarks/gradient_methods.py --json $(SPEED)/gradient_methods.json
	$(BIN)/python benchmarks/scaling.py --json $(SPEED)/scaling.json
	$(BIN)/python benchmarks/speed_page.py

# The Python API, and what each family asks of a method, as pages in build/api.
docs: .venv/ready
	$(BIN)/pdoc --no-show-source -o build/api $(API)
	@echo "build/api/index.html"

format: .venv/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# torch comes first and alone, by pip, at the version of constraints.txt: its default build would bring gigabytes of CUDA.
.venv/ready: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet "$$(grep ^torch== constraints.txt)"
	$(BIN)/pip install --quiet -c constraints.txt -e ".[quickstart,methods,dev]"
	touch $@

# What only the peers of a benchmark import, apart from the tested set. Without it they are left out, and named.
.venv/peers: .venv/ready benchmarks/peers.txt
	-$(BIN)/pip install --quiet --no-deps --upgrade --target $@ -r benchmarks/peers.txt

clean:
	rm -rf .venv
