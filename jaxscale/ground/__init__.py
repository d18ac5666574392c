"""Ground: what every other room stands on, and nothing of ours below it.

How we say no and warn, signs of life and Ctrl-C, compiled programs on disk, frozen dataclasses as
trees, intervals, tails of Student's t and the binomial, the robust scale, scaled inverses,
bracketed roots, whole-or-nothing files with their SHA-256, and the version. A thing belongs here if
three rooms or more need it and it knows neither laws nor tables. May import: JAX, NumPy, scipy, the
standard library.
"""
