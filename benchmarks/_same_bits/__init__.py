"""Parts of `benchmarks/same_bits.py`: each file has `cases()`, pairs of a name and a call whose
result is recorded.
"""
