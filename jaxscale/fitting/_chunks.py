"""Arrays of lanes in the widths and chunks of rows that compiled programs take, and a check of what
comes back.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from ..formula._programs import CHUNKS, TALL, WIDE
from ..formula._sums import ROWS, outer
from ..ground._compiled import compiled


def whole(lanes: np.ndarray) -> np.ndarray:
    """Lanes in whole chunks, the last of them repeated."""
    return (
        np.concatenate([lanes, np.repeat(lanes[-1:], -len(lanes) % WIDE)]) if len(lanes) else lanes
    )


def widened(values: np.ndarray) -> np.ndarray:
    """Lanes (..., T) in one chunk."""
    out = np.empty((*values.shape[:-1], WIDE), values.dtype)
    out[..., : values.shape[-1]], out[..., values.shape[-1] :] = values, values[..., -1:]
    return out


def tall(values: np.ndarray) -> np.ndarray:
    """Rows (n, ...) in one block, the last of them repeated."""
    out = np.empty((TALL, *values.shape[1:]), values.dtype)
    out[: len(values)], out[len(values) :] = values, values[-1:]
    return out


def in_chunks(values: np.ndarray, *, empty: bool = False) -> np.ndarray:
    """Rows and lanes (n, T) as (CHUNKS, TALL, WIDE): the last row repeated as far as it is read, or
    `empty`.
    """
    rows, lanes = values.shape
    out = np.zeros((CHUNKS, TALL, WIDE), values.dtype)
    for i in range(lanes // WIDE):
        out[i, :rows] = values[:, i * WIDE : (i + 1) * WIDE]
        if not empty:
            out[i, rows : -(-rows // ROWS) * ROWS] = out[i, rows - 1]
    return out


def chunked(values: np.ndarray) -> np.ndarray:
    """Lanes (..., T), a whole number of chunks, as (CHUNKS, ..., WIDE)."""
    out = np.zeros((CHUNKS, *values.shape[:-1], WIDE), values.dtype)
    for i in range(values.shape[-1] // WIDE):
        out[i] = values[..., i * WIDE : (i + 1) * WIDE]
    return out


def joined(chunks: np.ndarray, lanes: int) -> np.ndarray:
    """The reverse of `chunked`."""
    return np.concatenate([chunks[i] for i in range(lanes // WIDE)], -1)


def confirm(value: np.ndarray, weights: np.ndarray, loss: np.ndarray, slope: np.ndarray) -> None:
    """Raise where sums (T,) are not those of the losses (n, T) that another program gives: a wrong
    program must not fit.
    """
    # no number in a row without weight is none in the sums either
    loss, slope = weights * loss, weights * slope
    found, size = np.sum(loss, 0), np.sum(np.abs(loss), 0)
    near = np.abs(found - value) <= 1e-6 * size + 1e-12 * np.sum(np.abs(slope), 0) + 1e-24 * np.sum(
        weights, 0
    )
    wrong = np.isfinite(size) & ~near
    if np.any(wrong):
        raise RuntimeError(
            f"the compiled sums of this law are {value[wrong][0]:.8g} where its runs add up to "
            f"{found[wrong][0]:.8g}\n"
            "  Usually: a fault of the compiler or of its cache on disk, not of your data\n"
            "  Change: run it in a new process without a cache on disk (jaxscale.cache(), "
            "JAX_COMPILATION_CACHE_DIR), remove the "
            "folder of that cache, and report it with the law if it stays"
        )


def by_run(objective: Any, predicted: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, ...]:
    """Residuals (n, T), each run's loss and its two derivatives by the residual."""
    rows, lanes = predicted.shape
    out = [np.empty((rows, lanes)) for _ in range(4)]
    for first in range(0, rows, TALL):
        for k in range(0, lanes, WIDE):
            here = slice(first, min(first + TALL, rows)), slice(k, k + WIDE)
            own = jax.tree.map(lambda v: v[k : k + WIDE], objective)  # noqa: B023
            found = _derived(own, tall(predicted[here]), tall(target[here]))
            for into, v in zip(out, found, strict=True):
                into[here] = np.asarray(v)[: here[0].stop - first]
    return tuple(out)


@compiled
def _derived(objective: Any, predicted: Any, target: Any) -> tuple[Any, ...]:
    residual = objective.residual(predicted, target)
    return residual, *outer(objective.loss, residual)
