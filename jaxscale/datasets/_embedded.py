"""Tables that are part of the package: published figures, typed, and simulated sweeps with known truth."""

from __future__ import annotations

import numpy as np

from .._runs import Runs

# N [parameters, nominal], C [FLOP, as published], loss [nats per GPT-2 token of the Pile test set].
# Source: Cerebras-GPT model card, zero-shot table; Dey et al. 2023 (arXiv 2304.03208).
_PUBLIC_MODELS = {
    "Cerebras-GPT": (
        (1.11e08, 2.6e18, 2.608),
        (2.56e08, 1.3e19, 2.349),
        (5.9e08, 6.1e19, 2.181),
        (1.3e09, 2.8e20, 1.997),
        (2.7e09, 1.1e21, 1.834),
        (6.7e09, 6.3e21, 1.704),
        (1.3e10, 2.3e22, 1.572),
    ),
    "Cerebras-GPT muP": (
        (1.11e08, 2.6e18, 2.588),
        (2.56e08, 1.3e19, 2.359),
        (5.9e08, 6.1e19, 2.155),
        (1.3e09, 2.8e20, 1.984),
        (2.7e09, 1.1e21, 1.846),
    ),
    "Pythia": (
        (7e07, 1.6e20, 2.504),
        (1.6e08, 4.1e20, 2.186),
        (4.1e08, 1.1e21, 1.971),
        (1e09, 2.2e21, 1.845),
        (1.4e09, 3.2e21, 1.793),
        (2.8e09, 6.1e21, 1.72),
        (6.9e09, 1.4e22, 1.626),
        (1.2e10, 2.4e22, 1.582),
    ),
    "Pythia deduped": (
        (7e07, 1.6e20, 2.549),
        (1.6e08, 4.1e20, 2.204),
        (4.1e08, 1.1e21, 1.989),
        (1e09, 2.2e21, 1.858),
        (1.4e09, 3.2e21, 1.889),
        (2.8e09, 6.1e21, 1.724),
        (6.9e09, 1.4e22, 1.644),
        (1.2e10, 2.4e22, 1.601),
    ),
    "GPT-NeoX": ((2e10, 6.4e22, 1.519),),
    "GPT-J": ((6e09, 1.7e22, 1.613),),
}


def public_models() -> Runs:
    """30 public models: see the registry."""
    table = [(family, *row) for family, rows in _PUBLIC_MODELS.items() for row in rows]
    family, n, c, loss = zip(*table, strict=True)
    runs = Runs.from_columns(N=n, C=c, D=np.asarray(c) / (6.0 * np.asarray(n)), loss=loss, groups={"family": family})
    runs.notes["remarks"] = ["D is not published for all: D = C / (6 N)", *runs.remarks]
    return runs


def simulated() -> Runs:
    """60 runs: 6 budgets from 1e18 to 1e21 FLOP, 10 model sizes each, within a factor of 8 of 20 tokens a parameter."""
    E, A, B, alpha, beta = 1.7, 400.0, 1100.0, 0.34, 0.33
    c = np.repeat(np.geomspace(1e18, 1e21, 6), 10)
    n = np.sqrt(c / 120.0) * np.tile(np.geomspace(1 / 8, 8, 10), 6)
    d = c / (6.0 * n)
    noise = np.random.default_rng(2022).standard_normal(60)
    loss = (E + A * n**-alpha + B * d**-beta) * np.exp(0.005 * noise)
    return Runs.from_columns(N=n, D=d, C=c, loss=loss)
