"""Costs: what a plan spends, as plain functions that name the columns they read.

`allocate(..., cost=...)` takes any function of columns: `lambda N, D: 6 * N * D` works. The
dataclasses here do the same with numbers that can change without recompiling and that can be
differentiated (prices, inference tokens). The second half counts the FLOP of a transformer from its
shape; a matrix product of (m, k) and (k, n) takes 2 m k n, and a training step takes three forward
passes. Which parts are counted is the difference between published conventions.
"""

from __future__ import annotations

from typing import Any

from .ground._trees import node


@node(eq=True)
class Train:
    """Training compute [FLOP] from N [parameters] and D [tokens]: `per_token * N * D`, 6 N D by
    default.

    Source: Kaplan et al. 2020 (arXiv 2001.08361), section 2.1: 2 N forward, 4 N backward.

    >>> Train()(1e9, 2e10)
    1.2e+20
    """

    per_token: Any = 6.0

    def __call__(self, N: Any, D: Any) -> Any:
        return self.per_token * N * D


@node(eq=True)
class Lifetime:
    """Training and inference compute [FLOP]: 6 N D + 2 N D_inf, for `inference_tokens` served over
    the model's life.

    Source: Sardana et al. 2023 (arXiv 2401.00448), eq. 2. `train_price` and `inference_price`
    multiply the two terms (dollars per FLOP, utilisation), which is not in that equation.

    >>> Lifetime(inference_tokens=1e12)(1e9, 2e10)
    2.12e+21
    """

    inference_tokens: Any = 0.0
    train_price: Any = 1.0
    inference_price: Any = 1.0

    def __call__(self, N: Any, D: Any) -> Any:
        return (
            self.train_price * 6.0 * N * D + self.inference_price * 2.0 * N * self.inference_tokens
        )


def inference(N: Any, tokens: Any) -> Any:
    """Inference compute [FLOP] of `tokens` [tokens] through N [parameters]: 2 N tokens, attention
    left out.

    >>> inference(7e9, 1000.0)
    14000000000000.0
    """
    return 2.0 * N * tokens


def transformer_parameters(
    width: Any, depth: Any, *, vocabulary: Any = 0, feed_forward: Any = 4.0, tied: bool = True
) -> Any:
    """Parameters of a decoder-only transformer: matrices only, biases and norms left out.

    Per layer 4 width^2 (queries, keys, values, output) and 2 feed_forward width^2; plus `vocabulary
    * width` for the embeddings, twice if the output layer is not `tied`. With `vocabulary=0` the
    count is non-embedding.
    Source: Kaplan et al. 2020, table 1.

    >>> transformer_parameters(1024, 24)
    301989888.0
    """
    return depth * (4.0 + 2.0 * feed_forward) * width**2 + (1 if tied else 2) * vocabulary * width


def transformer_flop(
    width: Any,
    depth: Any,
    *,
    context: Any = 0,
    vocabulary: Any = 0,
    feed_forward: Any = 4.0,
    embedding: bool = False,
) -> Any:
    """Forward compute per token [FLOP] of a decoder-only transformer.

    Always counted: the weight matrices of all layers. `context` [tokens] adds attention scores and
    the weighted sum of values over the full window (4 context width per layer; a causal kernel
    spends half of it on average), `vocabulary` adds the last layer (2 width vocabulary),
    `embedding=True` adds as much again for a one-hot embedding product, as Hoffmann et al. 2022
    count it (recalled; a table look-up spends nothing). Training takes three times this. Source of
    the terms: Kaplan et al. 2020, table 1.

    >>> transformer_flop(1024, 24) / transformer_parameters(1024, 24)
    2.0
    """
    layers = 2.0 * depth * (4.0 + 2.0 * feed_forward) * width**2 + 4.0 * depth * context * width
    return layers + (2 if embedding else 1) * 2.0 * width * vocabulary


def transformer_train(width: Any, depth: Any, tokens: Any, **counted: Any) -> Any:
    """Training compute [FLOP] of `tokens` [tokens]: three times `transformer_flop`, with its
    keywords.

    >>> transformer_train(1024, 24, 1.0) / transformer_parameters(1024, 24)
    6.0
    """
    return 3.0 * transformer_flop(width, depth, **counted) * tokens
