# Every command is one word of bootstrap.py, which works without make as well: python3 bootstrap.py run
PYTHON ?= python3

.PHONY: run test check test-long bench screenshots chaos
run test check test-long bench screenshots chaos:
	@exec $(PYTHON) bootstrap.py $@ $(ARGS)
