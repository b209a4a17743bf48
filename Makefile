# One command each, for those who have make; all but build are the scripts of the same names.
# ARGS are passed on: make test ARGS='--filter LogTests'. N is how many faults: make crash N=1000.

.PHONY: build demo test lint bench crash power-loss ci flights-year setup

build: setup
	swift build -c release --product jobrunner

demo test lint bench ci flights-year setup:
	@scripts/$@ $(ARGS)

crash power-loss:
	@scripts/$@ $(N) $(ARGS)
