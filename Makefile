# Two commands are all that is needed: `make run` and `make test`. Both install what is missing first.
.PHONY: run test check bench help

help:
	@echo "make run    build everything, serve a test-pattern camera and print its addresses"
	@echo "make test   every test, with the real clients"
	@echo "make check  what a change must pass before it lands: format, lints, docs, licences, then every test"
	@echo "make bench  what a viewer costs, beside gst-rtsp-server; takes a quarter of an hour on a quiet machine"

run:
	@scripts/run

test:
	@scripts/test

check:
	@bash .ci/run

bench:
	@scripts/bench
