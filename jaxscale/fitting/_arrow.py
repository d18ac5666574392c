"""A symmetric matrix with the shape of an arrow: a small block per group, and what all groups
share.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ground._linalg import scaled_inverse


@dataclass(frozen=True)
class Arrow:
    """Blocks of a symmetric matrix: `inner` (G, p, p) of each group, `cross` (G, p, S), `corner`
    (S, S).
    """

    inner: np.ndarray
    cross: np.ndarray
    corner: np.ndarray

    @property
    def schur(self) -> np.ndarray:
        """The corner (S, S) with the groups at their optimum."""
        eliminated = np.einsum("gps,gpt->st", self.cross, np.linalg.solve(self.inner, self.cross))
        return np.asarray(self.corner - eliminated)

    @property
    def least(self) -> float:
        """Smallest singular value of the shared columns, scaled to length 1, beyond what the groups
        can imitate.
        """
        length = np.sqrt(np.maximum(np.diagonal(self.corner), 1e-300))
        squares = (
            np.linalg.eigvalsh(self.schur / length / length[:, None]) if len(length) else np.ones(1)
        )
        return float(np.sqrt(max(squares[0], 0.0)))

    def deviations(self, scale: float) -> tuple[np.ndarray, np.ndarray]:
        """Of the groups' coordinates (G, p) and of the shared ones (S,): scale times the root of
        the inverse's diagonal.
        """
        common, *_ = scaled_inverse(self.schur)
        through = np.linalg.solve(self.inner, self.cross)
        inverse = np.linalg.inv(self.inner) + np.einsum("gps,st,gqt->gpq", through, common, through)
        own = np.sqrt(np.maximum(np.diagonal(inverse, axis1=1, axis2=2), 0.0))
        return scale * own, scale * np.sqrt(np.diagonal(common))
