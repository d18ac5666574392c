"""Plans: what a budget is spent on, and how sure that is.

The question (columns, goal, limits, bounds) and whether it is well posed, the search for the best plan, its KKT certificate
and derivatives, near-optimal regions, regret, the compute-optimal frontier, designs of the next runs, and the classic
isoFLOP estimators. May import: everything up to `uncertainty`, and `costs`, which says what a plan spends: a new
FLOP formula belongs there.
"""
