"""Fitting: laws, tables and objectives become thousands of lanes, and the best of them a certified
fit.

The job and its coordinates, starts, the lanes of Newton steps, resampling, blocks of lanes on
cores, devices and machines, a directory of finished blocks, status and certificate of a point (what
is lost, by name), evidence at the optimum, groups, and the verbs `fit` and `bootstrap` with their
results. Another device backend, objective driver, or way to tell a lost direction belongs here. May
import: `ground`, `units`, `objectives`, `solvers`, `formula`, `table`.
"""
