"""Formula: a law as a function, from the paper's equation to its sums over runs with exact
derivatives.

Supports of parameters and their coordinates, what a law is made of and how it is called, `Law` with
its ways to make another law, second-order jets, the formula read as a list of operations, and the
sums that a fit is made of. A new support, a new way to change a law, or a faster derivative belongs
here; a law of the literature belongs in `laws`. May import: `ground`, `units`, `solvers`.
"""
