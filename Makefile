# Two commands are all that is needed: `make run` and `make test`. All of them install what is missing first.
.PHONY: run test conformance check bench help

help:
	@echo "make run    build everything, serve a test-pattern camera and print its addresses"
	@echo "make test   every test, with the real clients"
	@echo "make conformance  the ONVIF device tests against our own server, with reports in target/conformance/"
	@echo "make check  what a change must pass before it lands: format, lints, docs, licences, every test, conformance"
	@echo "make bench  what a viewer costs, beside gst-rtsp-server; takes a quarter of an hour on a quiet machine"

run:
	@scripts/run

test:
	@scripts/test

conformance:
	@scripts/conformance

check:
	@bash .ci/run

bench:
	@scripts/bench
