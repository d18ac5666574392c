"""The catalogue: find a law by a word, read what it is, and cite it.

Nothing is written twice. Units are the law's annotations, the formula is its source, the paper is
the arXiv number that stands after `Source:` in its docstring, and published coefficients carry
their source and evidence: `find`, `describe`, `cite` and the page in docs/ are all read from there.

Evidence marks say how far a published number was verified: CODE, DATA, PAPER, V seen in the
authors' own code, data or paper; DIGEST, NOTE, V2 in somebody else's account of it; D derived or
recomputed. Recalled numbers are never published.
"""

from __future__ import annotations

import difflib
import inspect
import re
import textwrap
from collections.abc import Callable
from typing import Any

from ..formula._law import Law
from ..ground._errors import refuse
from . import (
    allocation,
    architecture,
    batch,
    compression,
    data,
    downstream,
    experts,
    hyperparameters,
    inference,
    loss,
    mixture,
    multimodal,
    observational,
    ranking,
    reinforcement,
    robustness,
    sampling,
    theory,
    training,
    transfer,
    translation,
)
from ._papers import PAPERS

_FILES = (  # in the order of the page
    loss,
    allocation,
    experts,
    architecture,
    downstream,
    ranking,
    translation,
    observational,
    sampling,
    inference,
    transfer,
    mixture,
    multimodal,
    theory,
    batch,
    hyperparameters,
    reinforcement,
    robustness,
    training,
    compression,
    data,
)
_SMALL_WORDS = ("a", "and", "at", "for", "in", "of", "on", "the", "to", "with")
EVIDENCE = ("CODE", "DATA", "PAPER", "V", "DIGEST", "NOTE", "V2", "D")


class Shelf(tuple[Any, ...]):
    """Laws and rules that were found, best first; printed one a line."""

    def __repr__(self) -> str:
        return (
            "\n".join(f"{headline(item)}\n    {summary(item)}" for item in self) or "nothing found"
        )


def items() -> dict[str, Law | Callable[..., Any]]:
    """Every law and rule of the catalogue by name."""
    return {k: getattr(file, k) for file in _FILES for k in file.__all__}


def find(words: str) -> Shelf:
    """Laws and rules in whose name, text, paper or columns all of `words` appear, best first.

    Words and the phrase that they make count for more in a name than in the first line, in
    keywords, in the text. Of two that are alike the one with less else in its name comes first,
    then a law before a rule. Hyphens and plurals do not matter. Raises InputError where nothing
    matches, with the words nearest to those given.

    >>> from jaxscale import laws
    >>> find("repeated data")[0].name
    'data_constrained'
    """
    phrase = re.findall(r"[^\W_][\w.+]*", _spaced(words))
    wanted = [word for word in phrase if word not in _SMALL_WORDS]
    ranked: list[tuple[Any, ...]] = []
    for k, item in items().items():
        places = [
            _spaced(t)
            for t in (k, summary(item), _keywords(item), text(item) + " ".join(_paper_words(item)))
        ]
        score = [_first_place(places, word) for word in wanted]
        if score and max(score) < len(places):
            score.append(_first_place(places, " ".join(phrase)))
            kind = 2 if not isinstance(item, Law) else 1 if not published(item) else 0
            ranked.append((sum(score), len(places[0].split()), kind, len(ranked), item))
    if not ranked:
        vocabulary = {
            w for item in items().values() for w in re.findall(r"[a-z]{3,}", text(item).lower())
        }
        close = [
            match
            for word in wanted
            for match in difflib.get_close_matches(word, vocabulary, n=1, cutoff=0.75)
        ]
        hint = (
            f"Did you mean {' '.join(close)!r}? Or " if close and set(close) != set(wanted) else ""
        )
        raise refuse(
            f"laws.find({words!r}): no law has all of these words",
            why="a law says it in other words",
            change=f"{hint}one topic (moe, mixture, batch, learning rate, repeated data, "
            f"downstream, inference); docs/laws.md has all",
        )
    return Shelf(found[-1] for found in sorted(ranked, key=lambda found: found[:-1]))


def describe(law: Law | Callable[..., Any]) -> str:
    """Everything that is known about a law or rule: formula, units, supports, published sets with
    evidence, paper.

    >>> from jaxscale import laws
    >>> print(describe(laws.chinchilla).splitlines()[0])
    chinchilla(N, D; E, A, B, alpha, beta) -> nats/token
    """
    lines = [headline(law), "", text(law), "", "Formula", textwrap.indent(formula(law), "    ")]
    if isinstance(law, Law):
        units = zip(law.columns, law.column_units, strict=True)
        lines += ["", "Columns", *(f"    {c}: {u.name}" for c, u in units)]
        lines += [
            "",
            "Parameters",
            *(f"    {k}: {spec.support}{_shape(spec)}" for k, spec in law.specs),
        ]
        for name, entry in published(law).items():
            values = ", ".join(f"{k}={_short(v)}" for k, v in entry["values"].items())
            lines += [
                "",
                f'published["{name}"] ({entry["evidence"]}; {entry["source"]})',
                f"    {values}",
            ]
    return "\n".join([*lines, "", cite(law)]).rstrip()


def cite(law: Law | Callable[..., Any]) -> str:
    """BibTeX of the papers that a law or rule names as its source; empty where it is our own.

    >>> from jaxscale import laws
    >>> print(cite(laws.chinchilla).splitlines()[0])
    @article{hoffmann2022,
    """
    return "\n\n".join(_bibtex(key) for key in sources(law))


def sources(law: Law | Callable[..., Any]) -> list[str]:
    """Keys in `PAPERS` of what stands behind `Source:` in the docstring, in that order."""
    by_number = {paper.arxiv: key for key, paper in PAPERS.items() if paper.arxiv}
    named = re.findall(r"arXiv (\d{4}\.\d{4,5})|\[(\w+\d{4}\w*)\]", _part(law, "Source"))
    return list(dict.fromkeys(by_number[a] if a else b for a, b in named))


def headline(law: Law | Callable[..., Any]) -> str:
    """Name, columns, parameters and unit in one line."""
    if not isinstance(law, Law):
        return f"{law.__name__}({', '.join(inspect.signature(law).parameters)})"
    return (
        f"{law.name}({', '.join(law.columns)}; {', '.join(k for k, _ in law.specs)}) -> "
        f"{law.unit.name}"
    )


def summary(law: Law | Callable[..., Any]) -> str:
    """The first sentence of the docstring, which may take two lines."""
    return " ".join((law.__doc__ or "").strip().split("\n\n")[0].split())


def text(law: Law | Callable[..., Any]) -> str:
    """The docstring without its example."""
    return inspect.cleandoc(law.__doc__ or "").split(">>>")[0].strip()


def decision(law: Law | Callable[..., Any]) -> str:
    """What the law is used to decide: the docstring's sentence after `Decides:`."""
    return _part(law, "Decides")


def formula(law: Law | Callable[..., Any]) -> str:
    """The code after the docstring, as it stands in the file."""
    function = law.function if isinstance(law, Law) else inspect.unwrap(law)
    source = inspect.getsource(function)
    return textwrap.dedent(source.rpartition('"""')[2]).strip("\n")


def published(law: Law | Callable[..., Any]) -> dict[str, dict[str, Any]]:
    """Published sets: name -> values, source, evidence."""
    return dict(law.notes.get("published", {})) if isinstance(law, Law) else {}


def _part(law: Law | Callable[..., Any], head: str) -> str:
    """The sentences of the docstring after `head:`, up to the next head or the end of the
    paragraph.
    """
    found = re.search(
        rf"\b{head}:\s(.*?)(?=\n\n|\b[A-Z][\w ]{{2,24}}:\s|\Z)", text(law), flags=re.S
    )
    return " ".join(found[1].split()) if found else ""


def _keywords(law: Law | Callable[..., Any]) -> str:
    return _part(law, "Keywords")


def _paper_words(law: Law | Callable[..., Any]) -> list[str]:
    return [f"{PAPERS[k].authors} {PAPERS[k].title}" for k in sources(law)]


def _spaced(place: str) -> str:
    """In small letters, names and compounds as separate words."""
    return place.lower().replace("_", " ").replace("-", " ").replace("@", " at ")


def _first_place(places: list[str], word: str) -> int:
    """The first of `places` in which some word begins with `word`, or is it if it is short; their
    number if none.
    """
    stem = word[:-1] if len(word) > 4 and word.endswith("s") else word
    pattern = re.compile(
        rf"(?<![a-z0-9]){re.escape(stem)}" + (r"(?![a-z0-9])" if len(word) < 3 else "")
    )
    return next((i for i, place in enumerate(places) if pattern.search(place)), len(places))


def _shape(spec: Any) -> str:
    return f", shape {spec.shape}" if spec.shape else ""


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, int | float) else str(value)


def _bibtex(key: str) -> str:
    paper = PAPERS[key]
    rows = {"title": paper.title, "author": paper.authors, "year": str(paper.year)}
    rows |= {"eprint": paper.arxiv, "archivePrefix": "arXiv"} if paper.arxiv else {}
    rows |= {"note": paper.venue} if paper.venue else {}
    return "\n".join([f"@article{{{key},", *(f"  {k} = {{{v}}}," for k, v in rows.items()), "}"])
