"""Every law of the registry: fitted to noisy rows, called, predicted, sent through pickle,
described.
"""

import pickle

import numpy as np
from cases import LAWS, noisy

import jaxscale as jsl

from . import today

MANY = 40  # rows at most: what is compiled for a law costs more than its rows


def cases(share):
    for name in sorted(LAWS)[int(share) :: 6]:
        yield f"fit {name}", lambda name=name: fitted(name)
        yield f"words {name}", lambda name=name: words(name)


def rows_of(columns):
    """Rows spread over the table: few, and at least those that tell the parameters apart."""
    count = len(next(iter(columns.values())))
    return np.unique(np.linspace(0, count - 1, min(count, MANY)).round().astype(int))


def fitted(name):
    law, true, columns = LAWS[name]
    runs = noisy(name, 0.01, seed=1, rows=rows_of(columns))
    there = {c: v[:5] for c, v in columns.items()}
    out = {"called": law(**there, **true), "fit": (fit := jsl.fit(law, runs, starts=16))}
    out |= {"predicted": fit.predict(**there), "bound": fit.law(**there), "law": fit.law}
    return out | {
        "findings": list(fit.certificate.findings),
        "again": pickle.loads(pickle.dumps(fit.law))(**there),
    }


def words(name):
    law, true, columns = LAWS[name]
    bound = law.fix(**true)
    again = pickle.loads(pickle.dumps(bound))
    there = {c: v[:5] for c, v in columns.items()}
    published = {k: {"params": own.params, "law": own} for k, own in law.published.items()}
    return {
        "law": law,
        "bound": bound,
        "again": again(**there),
        "unit": str(law.unit),
        "describe": jsl.laws.describe(law),
        "cite": today.cite(law),
        "published": published,
    }
