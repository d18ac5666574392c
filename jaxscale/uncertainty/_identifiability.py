"""`identifiability`: which combinations of parameters the runs determine, and how well.

Near the optimum the objective is a bowl; its Hessian, with every coordinate scaled to curvature
one, has large eigenvalues along combinations that the runs determine and small ones along those
that can trade against each other. Compared with the ranges in which starts are drawn, an eigenvalue
says whether the runs have learned anything about its direction at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..fitting._evidence import evidence
from ..fitting._results import Ensemble, Fit, point_of
from ._covariance import noise_scale


@dataclass(frozen=True)
class Identifiability:
    """Eigenvalues (P,) of the scaled Hessian, ascending, with their directions (P, P), one row
    each.

    `condition` is the ratio of the largest to the smallest. `effective` counts the directions that
    the runs determine better than the start ranges do. Directions are in ln of positive parameters,
    logits of those between two edges, and real ones themselves; `deviations` (P,) are standard
    deviations along them. Rows count as independent. `optima` lists the local optima that starts
    ended in, best first: objective and number of starts.
    """

    names: tuple[str, ...]
    eigenvalues: np.ndarray
    directions: np.ndarray
    deviations: np.ndarray
    condition: float
    effective: float
    optima: tuple[tuple[float, int], ...]

    @property
    def weakest(self) -> dict[str, float]:
        """The combination of coordinates that is determined least."""
        return dict(zip(self.names, self.directions[0].tolist(), strict=True))

    def __repr__(self) -> str:
        weak = ", ".join(
            f"{k} {v:+.2f}"
            for k, v in sorted(self.weakest.items(), key=lambda kv: -abs(kv[1]))
            if abs(v) > 0.05
        )
        return (
            f"<Identifiability: {self.effective:.1f} of {len(self.names)} directions, condition "
            f"{self.condition:.2g}; weakest {weak}; {len(self.optima)} optima>"
        )


def identifiability(fit: Fit | Ensemble) -> Identifiability:
    """What the runs determine: a spectrum in coordinates (ln of positive parameters),
    dimensionless.

    >>> import jaxscale as jsl
    >>> best = jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"),
    ...     objective=jsl.objectives.LogSquared(), starts=32)
    >>> round(jsl.uncertainty.identifiability(best).effective, 1)
    5.0

    Source: Gutenkunst et al. 2007 (spectra of fits); the count against the start ranges is ours.
    """
    point = point_of(fit, "identifiability()")
    at = evidence(point)
    keep = ~at.edge
    hessian = at.hessian[np.ix_(keep, keep)]
    size = np.sqrt(np.maximum(np.abs(np.diagonal(hessian)), 1e-300))
    squares, vectors = np.linalg.eigh(hessian / size / size[:, None])
    unit = np.asarray(at.job.unit)[keep]
    directions = (vectors / size[:, None]).T * unit
    directions = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    along = np.einsum("ki,ij,kj->k", directions / unit, hessian, directions / unit) / noise_scale(
        at
    )
    width = (np.asarray(at.job.ranges.high) - np.asarray(at.job.ranges.low))[keep] / np.sqrt(12.0)
    informed = np.linalg.eigvalsh(hessian * width * width[:, None] / noise_scale(at))
    deviations = 1.0 / np.sqrt(np.maximum(along, 1e-300))
    return Identifiability(
        names=tuple(n for n, k in zip(at.names, keep, strict=True) if k),
        eigenvalues=squares,
        directions=directions,
        deviations=deviations,
        condition=float(squares[-1] / max(squares[0], 1e-300)),
        effective=float(np.sum(np.maximum(informed, 0.0) / (1.0 + np.maximum(informed, 0.0)))),
        optima=at.fit.certificate.optima,
    )
