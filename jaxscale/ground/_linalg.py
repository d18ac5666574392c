"""The inverse of a Hessian that may have lost some of its directions: one rule for certificates,
covariances and draws.
"""

from __future__ import annotations

import numpy as np

# eigenvalue, with the diagonal scaled to 1, up to which a direction carries no information
LOST = 1e-13


def scaled_inverse(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inverse (P, P) over the directions that carry information, those that do not (P, k), and the
    scale (P,) they are in.

    Directions are eigenvectors of the matrix with rows and columns divided by `scale`, the root of
    its diagonal. A matrix that is not finite, or has a 0 on its diagonal, has lost all of them.

    >>> scaled_inverse(np.diag([4.0, 2.0**-66]))[0].tolist()
    [[0.25, 0.0], [0.0, 7.378697629483821e+19]]
    """
    scale = np.sqrt(np.abs(np.diagonal(matrix)))
    if not len(scale) or not np.all(np.isfinite(matrix)) or np.any(scale == 0):
        return np.zeros_like(matrix), np.eye(len(scale)), np.ones(len(scale))
    squares, vectors = np.linalg.eigh(matrix / scale / scale[:, None])
    lost = squares <= LOST
    inverse = (vectors[:, ~lost] / squares[~lost]) @ vectors[:, ~lost].T / scale / scale[:, None]
    return inverse, vectors[:, lost], scale


def sandwich(
    bread: np.ndarray, meat: np.ndarray, edge: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """bread^-1 meat bread^-1 (P, P), nan along what is at an `edge` (P,), and which coordinates
    (P,) a lost direction touches.

    >>> sandwich(np.diag([2.0, 4.0]), np.eye(2), np.array([False, True]))[0].round(6).tolist()
    [[0.25, nan], [nan, nan]]
    """
    inside, touched = np.ix_(~edge, ~edge), np.zeros(len(edge), bool)
    inverse, lost, _ = scaled_inverse(bread[inside])
    out = np.full(bread.shape, np.nan)
    with np.errstate(invalid="ignore"):  # where nothing is finite, all is lost
        out[inside] = inverse @ meat[inside] @ inverse
    touched[~edge] = np.any(np.abs(lost) > 1e-3, axis=1)
    return out, touched
