# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # Quickstart: from a table of small runs to a plan
#
# The whole job on one page: read a table, fit a law, see whether the fit may be trusted, get
# intervals, spend a budget. Set `SMALL=1` in the environment for fewer refits.

# %%
import os

import numpy as np

import jaxscale as jsl
from jaxscale import positive
from jaxscale.units import Nats, Params, Tokens

REFITS = 200 if os.environ.get("SMALL") else 4_000

# %% [markdown]
# ## 1. A table
#
# `Runs` checks units, signs and magnitudes where it is made. Here the embedded sweep: 60 simulated
# runs around a known law. Yours is `jsl.Runs.from_csv("sweep.csv", N="params", D="tokens",
# target="final_loss")`.

# %%
runs = jsl.datasets.load("simulated")
print(len(runs), "runs, N from", f"{runs['N'].min():.2g}", "to", f"{runs['N'].max():.2g}")

# %% [markdown]
# ## 2. A law is the paper's formula
#
# Columns are positional and carry a unit; parameters are keyword-only and say where starts are
# drawn.


# %%
@jsl.law
def chinchilla(
    N: Params,
    D: Tokens,
    *,
    E=positive(0.5, 3),
    A=positive(1, 1e5),
    B=positive(1, 1e5),
    alpha=positive(0.05, 1.5),
    beta=positive(0.05, 1.5),
) -> Nats:
    return E + A * N**-alpha + B * D**-beta


# %% [markdown]
# ## 3. The best of many starts, with a certificate

# %%
fit = jsl.fit(chinchilla, runs)
print(jsl.report(fit))
assert fit.ok
assert fit.certificate.starts_agreed >= 0.95 * fit.certificate.starts_drawn

# %% [markdown]
# ## 4. Refits and intervals
#
# The truth behind this table is known, so we can look whether the intervals contain it.

# %%
boot = jsl.bootstrap(fit, REFITS)
truth = {"E": 1.7, "A": 400.0, "B": 1100.0, "alpha": 0.34, "beta": 0.33}
for name, found in jsl.interval(boot).items():
    print(f"{name:6} {found}   truth {truth[name]}")
    assert found.low < truth[name] < found.high

# %% [markdown]
# ## 5. A plan, with intervals of its own

# %%
plan = jsl.allocate(boot, budget=5.76e23)
planned = plan.interval()
for name in ("N", "D"):
    print(name, planned[name])
best = jsl.allocate(chinchilla.fix(**truth), 5.76e23)
assert planned["N"].low < best["N"] < planned["N"].high

# %% [markdown]
# With inference over the model's life, the best model is smaller and trained longer; with a data
# cap it is larger.

# %%
served = jsl.allocate(fit, 5.76e23, cost=jsl.costs.Lifetime(inference_tokens=1e13))
capped = jsl.allocate(fit, 5.76e23, bounds={"D": (None, 1e12)})
print("plain ", jsl.allocate(fit, 5.76e23))
print("served", served)
print("capped", capped)
assert served["N"] < jsl.allocate(fit, 5.76e23)["N"] < capped["N"]

# %% [markdown]
# ## 6. Two figures

# %%
budgets = np.geomspace(1e19, 1e24, 20)
surface = jsl.plots.loss(fit)
frontier = jsl.plots.allocation(jsl.allocate(boot, budgets), runs)

# %%
surface

# %%
frontier
