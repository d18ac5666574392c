"""Grids of runs that cases share."""

import numpy as np

LAWS = {}
N = np.geomspace(5e7, 1e10, 7)
D = np.geomspace(2e9, 3e11, 7)


def crossed(**columns):
    """Every combination of the columns' values."""
    mesh = np.meshgrid(*columns.values(), indexing="ij")
    return {name: values.ravel() for name, values in zip(columns, mesh, strict=True)}


SIZES = crossed(N=N, D=D)
