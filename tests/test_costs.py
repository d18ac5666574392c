"""FLOP of a transformer, counted by an independent route: the matrix products in the trace of a
real forward pass.
"""

import jax
import jax.numpy as jnp
import pytest

from jaxscale import costs


def counted(width, depth, context, vocabulary):
    """Forward FLOP per token of a minimal decoder, from the dot products in its jaxpr."""

    def forward(tokens, table, layers):
        x = table[tokens]
        for q, k, v, o, up, down in layers:
            scores = (x @ q) @ (x @ k).T
            x = x + (jax.nn.softmax(scores) @ (x @ v)) @ o
            x = x + jax.nn.relu(x @ up) @ down
        return x @ table.T

    d = width
    layer = [
        jax.ShapeDtypeStruct(s, jnp.float32)
        for s in ((d, d), (d, d), (d, d), (d, d), (d, 4 * d), (4 * d, d))
    ]
    args = (
        jax.ShapeDtypeStruct((context,), jnp.int32),
        jax.ShapeDtypeStruct((vocabulary, d), jnp.float32),
        [layer] * depth,
    )
    total = 0
    for eqn in jax.make_jaxpr(forward)(*args).eqns:
        if eqn.primitive.name == "dot_general":
            (contract, _), _ = eqn.params["dimension_numbers"]
            inner = 1
            for axis in contract:
                inner *= eqn.invars[0].aval.shape[axis]
            total += 2 * eqn.outvars[0].aval.size * inner
    return total / context


@pytest.mark.parametrize(
    ("width", "depth", "context", "vocabulary"), [(64, 2, 32, 100), (128, 3, 256, 1000)]
)
def test_transformer_flop_counts_every_matrix_product(width, depth, context, vocabulary):
    assert costs.transformer_flop(width, depth, context=context, vocabulary=vocabulary) == counted(
        width, depth, context, vocabulary
    )


def test_conventions():
    n = costs.transformer_parameters(512, 8)
    assert n == 12 * 8 * 512**2
    assert costs.transformer_flop(512, 8) == 2 * n
    assert costs.transformer_train(512, 8, 1e9) == costs.Train()(n, 1e9)
    with_embedding = costs.transformer_parameters(512, 8, vocabulary=32_000)
    assert with_embedding - n == 512 * 32_000
    assert (
        costs.transformer_parameters(512, 8, vocabulary=32_000, tied=False) - n == 2 * 512 * 32_000
    )
    last = costs.transformer_flop(512, 8, vocabulary=32_000)
    assert last - 2 * n == 2 * 512 * 32_000
    assert (
        costs.transformer_flop(512, 8, vocabulary=32_000, embedding=True) - last == 2 * 512 * 32_000
    )
    assert costs.Lifetime(1e12)(1e9, 2e10) == costs.Train()(1e9, 2e10) + costs.inference(1e9, 1e12)
