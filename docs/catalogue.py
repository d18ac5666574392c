"""The page of all laws: reads `jaxscale.laws` and writes docs/laws.md; `--check` fails where the
page is not theirs.

Everything on the page is taken from the functions themselves: formula, units, source, published
coefficients with their evidence, and what each is used to decide.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jaxscale as jsl
from jaxscale.laws import _catalogue
from jaxscale.laws._papers import PAPERS

PAGE = Path(__file__).parent / "laws.md"
HEAD = """# Laws

Made by `python docs/catalogue.py` from the functions in `jaxscale.laws`; `--check` fails where this page is not theirs.
`jsl.laws.find("moe")` searches, `jsl.laws.describe(law)` prints one entry, `jsl.laws.cite(law)` gives BibTeX. {laws} laws have
parameters to fit; {rules} rules have none.

From a sweep of sparse models to a fitted law:

```python
print(jsl.laws.find("moe"))
runs = jsl.Runs.from_csv("moe.csv", N="params", D="tokens", S="sparsity", loss="loss")
fit = jsl.fit(jsl.laws.sparse_moe, runs)
print(jsl.report(fit))
```

Which of them: `sparse_moe` where the share of idle experts varies, `joint_moe` where their number does, `fine_grained_moe`
where their size does, `routed_moe` at fixed data.

Evidence of published coefficients: CODE, DATA, PAPER, V seen in the authors' own code, data or text; DIGEST, NOTE, V2 in
somebody else's account; D derived or recomputed. Recalled numbers are not published here.
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--check", action="store_true", help="fail where the page is not what would be written"
    )
    options = parser.parse_args()
    text = page()
    if options.check:
        if not PAGE.exists() or PAGE.read_text() != text:
            sys.exit("docs/laws.md is not what jaxscale.laws says: run python docs/catalogue.py")
    else:
        PAGE.write_text(text)


def page() -> str:
    """The whole page."""
    items = _catalogue.items()
    laws = sum(isinstance(item, jsl.Law) for item in items.values())
    lines = [HEAD.format(laws=laws, rules=len(items) - laws)]
    files = {f: importlib.import_module(f"jaxscale.laws.{f}") for f in files_in_order()}
    lines += ["| file | laws | rules |", "|---|---|---|"]
    for name, file in files.items():
        count = [
            ", ".join(f"[{k}](#{k})" for k in file.__all__ if isinstance(items[k], jsl.Law) == law)
            for law in (True, False)
        ]
        lines.append(f"| {name} | {count[0] or '–'} | {count[1] or '–'} |")
    for name, file in files.items():
        about = (file.__doc__ or "").strip()
        lines += ["", f"## {name}", "", about]
        for k in file.__all__:
            lines += ["", *entry(k, items[k])]
    return "\n".join(lines) + "\n"


def files_in_order() -> list[str]:
    """Files of `jaxscale/laws`, in the order of its list of names."""
    seen = {}
    for item in _catalogue.items().values():
        function = item.function if isinstance(item, jsl.Law) else item
        seen[function.__module__.rpartition(".")[2]] = True
    return list(seen)


def entry(name: str, item: Any) -> Iterator[str]:
    """One law or rule."""
    yield f'### <a id="{name}"></a>`{_catalogue.headline(item)}`'
    yield ""
    yield _catalogue.summary(item)
    yield ""
    yield "```python"
    yield _catalogue.formula(item)
    yield "```"
    yield ""
    if isinstance(item, jsl.Law):
        yield (
            "Units: "
            + ", ".join(
                f"{c} {u.name}" for c, u in zip(item.columns, item.column_units, strict=True)
            )
            + "."
        )
    yield f"Source: {_catalogue._part(item, 'Source')}"
    yield f"Decides: {_catalogue.decision(item)}"
    named = [
        f"{PAPERS[k].authors.split(',')[0]} {PAPERS[k].year}, *{PAPERS[k].title}*"
        for k in _catalogue.sources(item)
    ]
    if named:
        yield "Papers: " + "; ".join(named) + "."
    sets = _catalogue.published(item)
    if sets:
        yield ""
        yield "| set | evidence | coefficients |"
        yield "|---|---|---|"
        for key, value in sets.items():
            numbers = ", ".join(f"{k} {_catalogue._short(v)}" for k, v in value["values"].items())
            yield f"| {key} | {value['evidence']} | {numbers} |"


if __name__ == "__main__":
    main()
