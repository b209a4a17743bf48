# One command each, for those who have make; all but build are the scripts of the same names.
# ARGS are passed on: make test ARGS='--filter LogTests'.

.PHONY: build demo test lint bench crash ci flights-year setup

build: setup
	swift build -c release --product jobrunner

demo test lint bench crash ci flights-year setup:
	@scripts/$@ $(ARGS)
