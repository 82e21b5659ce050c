"""The fault campaign's ground and faults; `benchmarks/faults.py` is its command."""
