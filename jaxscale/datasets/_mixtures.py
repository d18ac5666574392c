"""Tables of mixtures: loss as a function of the shares of the training domains."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ..table._runs import Runs
from ..units import Nats, Shares, Steps
from ._entry import Entry
from ._read import column, lines, saying

_REGMIX = (
    "https://raw.githubusercontent.com/sail-sg/regmix/b004d3a3f39846dcec6b3740da22bcd1ba95a5d0/data"
)
_REGMIX_SETS = {
    "default": "train_{}_1m",
    "test_1m": "test_{}_1m",
    "test_60m": "test_{}_60m",
    "test_1b": "test_{}_1B",
}
_REGMIX_FILES = {
    rows: (f"regmix/{name.format('mixture')}.csv", f"regmix/{name.format('pile_loss')}.csv")
    for rows, name in _REGMIX_SETS.items()
}
_REGMIX_SHA256 = {
    "regmix/train_mixture_1m.csv": "04a32ef4ab594376bf90e11404c033668f887c351d6a03ad3744824c7296a2d8",
    "regmix/train_pile_loss_1m.csv": "49a959aa07ce5c20831d5abe3a7896ff0cd90a398bd407c8913fd5588be0465a",
    "regmix/test_mixture_1m.csv": "197267b7d6f15367e2f46c881e564c35b0d34e51b1754bb09d07e650cf8e1ce8",
    "regmix/test_pile_loss_1m.csv": "e027b1674f60140a65a87b5e4a59ab5f09dc33e8fd02c080682678074b160f53",
    "regmix/test_mixture_60m.csv": "197267b7d6f15367e2f46c881e564c35b0d34e51b1754bb09d07e650cf8e1ce8",
    "regmix/test_pile_loss_60m.csv": "8fe69d59ab7dd4fae4736459f4265ec93c7ed1ad1eca407346052560edc72b5b",
    "regmix/test_mixture_1B.csv": "dd38052949c0a5f84165bdcb3ae3a331c7f07efd9bb83848bd579dfc4ce75a2c",
    "regmix/test_pile_loss_1B.csv": "b2451e2b7fa15400688edc39e4d32f21ccbe0fb356e07d62a0e9ccddf247114f",
}

# The 22 validation sets of the Pile in five domains, in the order of the shares (Ye et al. 2024).
_DOMAINS = {
    "academic": (
        "ArXiv", "FreeLaw", "NIH_ExPorter", "PhilPapers", "PubMed_Abstracts", "PubMed_Central",
        "USPTO_Backgrounds"
    ),
    "prose": ("BookCorpus2", "Books3", "PG19"),
    "dialogue": ("Enron_Emails", "EuroParl", "HackerNews", "OpenSubtitles", "Ubuntu_IRC",
                 "YoutubeSubtitles"),
    "symbolic": ("DM_Mathematics", "Github"),
    "internet": ("OpenWebText2", "Pile-CC", "StackExchange", "Wikipedia_en"),
}  # fmt: skip
_FEW, _MANY = "mixinglaws/mix_2_and_3_domains.csv", "mixinglaws/mix_5_domains_and_redpajama.csv.gz"
_WEIGHTS = "mixinglaws/valid_weight.json"
_EXPERIMENTS = {
    "two_domains": "2Mix",
    "three_domains": "3Mix",
    "five_domains": "5Mix",
    "redpajama": "RedPajama",
}

ENTRIES = {
    "regmix": Entry(
        about="Loss on Pile-CC from the shares r of 17 training domains: 512 models of 1M "
        "parameters, each on 1B tokens of its own mixture. rows='test_1m' and 'test_60m' have 256 "
        "other mixtures at 1M and 60M parameters, 'test_1b' 64 at 1B parameters. Losses on the 12 "
        "other validation domains are columns loss_arxiv, loss_github, ... Shares are rounded to "
        "3 decimals.",
        source="sail-sg/regmix, data/*.csv",
        licence="MIT",
        published="Liu et al. 2024 (arXiv 2407.01492): rank correlation .9892 on Pile-CC by "
        "boosted trees; a linear regression has .9021 at 1M, .8933 at 60M, .8766 at 1B "
        "(recomputed)",
        variants=tuple(_REGMIX_FILES),
        files=dict(_REGMIX_FILES),
        sha256=_REGMIX_SHA256,
        url={file: f"{_REGMIX}/{file.partition('/')[2]}" for file in _REGMIX_SHA256},
    ),
    "mixinglaws": Entry(
        about="Loss on a validation domain from the shares r of the training domains. Default: 26 "
        "mixtures of five domains (academic, prose, dialogue, symbolic, internet) at 70M "
        "parameters and 30,000 steps, a row for each of the five validation `domain`s; "
        "rows='academic' and so on have the 26 rows of one. rows='two_domains' (Github, Pile-CC; "
        "5 mixtures, 11 checkpoints, 2 sizes), 'three_domains', 'five_domains' and 'redpajama' "
        "have all checkpoints, with `size`, `step` and the single validation set as `domain`. "
        "Five shares sum to 1, so the elements of t in exp(t . r) are only known up to a common "
        "number.",
        source="yegcjs/mixinglaws, extracted from data/*/*.txt and pipeline/valid_weight.json: "
        "local only",
        licence="none stated: not part of this package",
        published="Ye et al. 2024 (arXiv 2403.16952), authors' notebooks: mean Huber loss "
        ".000568288 academic, .000123343 prose, .000551342 dialogue, .000142820 symbolic, "
        ".0000816596 internet (delta .05); mean absolute error .0086 over six mixtures, which "
        "were among the 26 that were fitted",
        variants=("default", *_DOMAINS, *_EXPERIMENTS),
        files={
            **dict.fromkeys(("default", *_DOMAINS), (_MANY, _WEIGHTS)),
            **dict.fromkeys(("two_domains", "three_domains"), _FEW),
            **dict.fromkeys(("five_domains", "redpajama"), _MANY),
        },
        sha256={
            _FEW: "aa77d1886277bfa4e6da3883a4fda666b1bf5d589089f43fc93f02d380093460",
            _MANY: "34b3128440f2b110ce59faaaffd330cb7ca14089af208d035c29c33d582d4c22",
            _WEIGHTS: "d435a2da15a8658a6d2f8ee93ac2291cc374938adf543182737ad092be4e4c39",
        },
    ),
}


def _regmix(paths: tuple[Path, Path], rows: str) -> Runs:
    mixture, loss = (lines(path) for path in paths)
    (first, *domains), (run, *losses) = mixture[0], loss[0]  # names of the columns, the run's first
    if not np.array_equal(column(mixture, first), column(loss, run)):
        raise OSError(f"{paths[1].name} has other runs than {paths[0].name}")
    names = {
        name: name.removeprefix("metric/the_pile_").removesuffix("_val_loss") for name in losses
    }
    columns: dict[str, Any] = {f"loss_{short}": column(loss, name) for name, short in names.items()}
    target, shares = (
        columns.pop("loss_pile_cc"),
        np.stack([column(mixture, d) for d in domains], axis=1),
    )
    runs = Runs.from_columns(
        r=shares, loss=target, units={"r": Shares} | dict.fromkeys(columns, Nats), **columns
    )
    said = [
        f"the elements of r are {', '.join(d.removeprefix('train_the_pile_') for d in domains)}",
        "shares are rounded to 3 decimals, so their sums are 1 to about .004; they are left as "
        "they are",
    ]
    return saying(runs, said)


def _mixinglaws(paths: Any, rows: str) -> Runs:
    if rows in _EXPERIMENTS:
        table = [line for line in lines(paths) if line["experiment"] == _EXPERIMENTS[rows]]
        return _mixtures(
            [line["ratio"] for line in table],
            [float(line["loss"]) for line in table],
            groups={
                "domain": [line["validation_domain"] for line in table],
                "size": [line["size"] for line in table],
            },
            run=[f"{line['size']}/{line['run']}" for line in table],
            step=[int(line["step"]) for line in table],
        )
    chosen = {"experiment": "5Mix", "size": "70M", "step": "30000"}
    table = [line for line in lines(paths[0]) if all(line[k] == v for k, v in chosen.items())]
    weight = json.loads(paths[1].read_text())
    at = {(line["ratio"], line["validation_domain"]): float(line["loss"]) for line in table}
    ratios = sorted({line["ratio"] for line in table})
    domains = list(_DOMAINS) if rows == "default" else [rows]
    cells = [(ratio, domain) for domain in domains for ratio in ratios]
    loss = [
        np.average([at[r, s] for s in _DOMAINS[d]], weights=[weight[s] for s in _DOMAINS[d]])
        for r, d in cells
    ]
    runs = _mixtures(
        [r for r, _ in cells],
        loss,
        groups={"domain": [d for _, d in cells]},
        run=[r for r, _ in cells],
    )
    said = (
        "the loss of a domain is the mean over its validation sets, weighted by their share of "
        "the Pile"
    )
    return saying(runs, [f"the elements of r are {', '.join(_DOMAINS)}", said])


def _mixtures(ratios: list[str], loss: Any, **columns: Any) -> Runs:
    shares = np.array([[float(share) for share in ratio.split("-")] for ratio in ratios])
    units = {"r": Shares} | ({"step": Steps} if "step" in columns else {})
    return Runs.from_columns(r=shares, loss=loss, units=units, **columns)


READERS = {"regmix": _regmix, "mixinglaws": _mixinglaws}
