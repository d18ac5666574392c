"""How far a ranking of recipes by small runs, or a benchmark, can be trusted at all."""

from __future__ import annotations

import jax.numpy as jnp

from ..ground._errors import nearest, refuse
from ._rule import rule

__all__ = ["datadecide_accuracy", "decision_accuracy", "signal_to_noise"]


@rule
def decision_accuracy(predicted, target):
    """Share [fraction] of pairs of recipes whose order the predicted scores get right, against the
    target scores.

    A pair that is tied in either counts one half, so a constant predictor gets 0.5. Average seeds
    of the target first. Ranking by one small scale is the baseline to beat; no extrapolated law in
    the paper did.

    Source: Magnusson et al. 2025 [magnusson2025], authors' code. Decides: how far to trust a choice
    of data made on small runs. Keywords: DataDecide ranking pairs two-class. Not from the source:
    ties.

    >>> round(float(decision_accuracy([0.31, 0.35, 0.33], [0.52, 0.58, 0.51])), 5)
    0.66667
    """
    i, j = jnp.triu_indices(jnp.shape(predicted)[-1], 1)
    both = (jnp.asarray(v) for v in (predicted, target))
    order, wanted = (jnp.sign(v[..., i] - v[..., j]) for v in both)
    return jnp.mean(0.5 * (1 + order * wanted), -1)


@rule
def signal_to_noise(scores, checkpoints):
    """Signal, noise and their ratio [relative] from final scores of several models and late
    checkpoints of one run.

    Signal is the largest difference between models over their mean, noise the standard deviation of
    the checkpoints (dividing by n) over theirs. Scaling all scores changes nothing.

    Source: Heineman et al. 2025 [heineman2025], authors' code. Decides: which benchmarks can rank
    small runs, and whether to average checkpoints or drop sub-tasks. Keywords: SNR evaluation
    benchmark seed. Not from the source: the numbers of the example.

    >>> found = signal_to_noise([1.0, 2.0], [1.4, 1.6])
    >>> {name: round(float(value), 4) for name, value in found.items()}
    {'signal': 0.6667, 'noise': 0.0667, 'snr': 10.0}
    """
    scores, checkpoints = jnp.asarray(scores), jnp.asarray(checkpoints)
    signal = (jnp.max(scores, -1) - jnp.min(scores, -1)) / jnp.mean(scores, -1)
    noise = jnp.std(checkpoints, axis=-1) / jnp.mean(checkpoints, -1)
    return {"signal": signal, "noise": noise, "snr": signal / noise}


_TWO_CLASS = {
    "mmlu": 0.906, "arc_challenge": 0.916, "hellaswag": 0.852, "piqa": 0.793, "boolq": 0.567,
    "openbookqa": 0.806, "winogrande": 0.732,
}  # fmt: skip


@rule
def datadecide_accuracy(task):
    """Decision accuracy [fraction of pairs of 25 recipes] that was released for a `task`, such as
    "mmlu".

    See `decision_accuracy`. Ranking by one 150M model is right for about 0.8 of pairs; a task near
    0.5 decides nothing at that scale.

    Source: Magnusson et al. 2025 [magnusson2025], released table of two-class accuracies. Decides:
    which benchmarks small runs can be ranked by. Keywords: DataDecide arc_challenge hellaswag piqa
    boolq openbookqa winogrande. Not from the source: nothing, but which small size the numbers
    belong to was not seen.

    >>> float(datadecide_accuracy("boolq"))
    0.567
    """
    if task not in _TWO_CLASS:
        raise refuse(
            f"datadecide_accuracy({task!r}): no such task",
            why="a typing slip",
            change=nearest(str(task), _TWO_CLASS).strip(),
        )
    return jnp.asarray(_TWO_CLASS[task])
