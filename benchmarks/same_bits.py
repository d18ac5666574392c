"""Whether two trees of this project compute the same bits and say the same words, through public
names alone.

    python benchmarks/same_bits.py run --output old.jsonl # on one tree python
    benchmarks/same_bits.py run --output new.jsonl # on another, where files were moved or rewritten
    python benchmarks/same_bits.py compare old.jsonl new.jsonl # exit status 1 where any field
    differs python benchmarks/same_bits.py compare old.jsonl new.jsonl --digits 12

A part is a process of its own and holds many cases: fits of every law, resamples, intervals, plans,
comparisons, forecasts, tables, directories of jobs, refusals, printed text, figures
(`_same_bits/`). A case is one line of the file: all numbers of a result as bytes, its statuses, its
text with folders, dates and versions taken out, and the warnings and the error that it ends in.
Sizes are small, since it is bits that count and not estimates. With `--resume` parts that the file
has are kept. Real tables are read from $JAXSCALE_DATA_DIR where it is set; both files have to be
made with it, or both without.
"""

import argparse
import importlib
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Longest first, so that two at a time end together. A part is `file` or `file:argument of its
# cases()`.
PARTS = {
    **{f"laws{k}": f"laws:{k}" for k in range(6)},
    "plans": "plans",
    "chains": "chains",
    "intervals": "intervals",
    "refits": "refits",
    "fits": "fits",
    "groups": "groups",
    "spending": "spending",
    "selection": "selection",
    "recipes": "recipes",
    "forecasts": "forecasts",
    "curves": "curves",
    "plots": "plots",
    "refused": "refused",
    "tables": "tables",
    "words": "words",
}
ALONE = {"places": "places"}  # has processes of its own


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="record this tree")
    run.add_argument("--output", type=Path, required=True)
    run.add_argument(
        "--parts", default=",".join([*PARTS, *ALONE]), help="names, separated by commas"
    )
    run.add_argument("--jobs", type=int, default=2)
    run.add_argument("--resume", action="store_true", help="keep the parts that the file has")
    part = verbs.add_parser("part", help="one part in this process: what `run` starts")
    part.add_argument("name")
    part.add_argument("file", type=Path)
    compare = verbs.add_parser("compare", help="two files")
    compare.add_argument("old", type=Path)
    compare.add_argument("new", type=Path)
    compare.add_argument(
        "--digits", type=int, help="of the largest number of an array; bit for bit without"
    )
    compare.add_argument("--lines", type=int, default=8, help="differences shown per case")
    compare.add_argument("--parts", help="names, separated by commas: compare these alone")
    options = parser.parse_args()
    sys.exit(
        {"run": record_all, "part": record_part, "compare": compare_files}[options.verb](options)
    )


# -- record --------------------------------------------------------------------------------------
def record_all(options):
    """Every part in a process of its own; 1 where one of them did not end well."""
    wanted = [name for name in options.parts.split(",") if name]
    if unknown := [name for name in wanted if name not in PARTS | ALONE]:
        sys.exit(f"no part {unknown[0]!r}; there is {', '.join([*PARTS, *ALONE])}")
    kept = read(options.output) if options.resume and options.output.exists() else {}
    done = {part for part, _ in kept}
    todo = [name for name in wanted if name not in done]
    options.output.write_text("".join(json.dumps(line) + "\n" for line in kept.values()))
    begin = time.perf_counter()
    with ThreadPoolExecutor(options.jobs) as pool:
        ended = list(
            pool.map(lambda name: started(name, options.output), [n for n in todo if n in PARTS])
        )
    ended += [started(name, options.output) for name in todo if name in ALONE]
    print(
        f"{len(read(options.output))} cases in {options.output}, "
        f"{time.perf_counter() - begin:.0f} s"
    )
    return 0 if all(ended) else 1


def started(name, output):
    """Run one part; its lines are added to the file once it has ended well."""
    own, begin = output.with_name(f"{output.name}.{name}"), time.perf_counter()
    own.write_text("")
    command = [sys.executable, str(HERE / "same_bits.py"), "part", name, str(own)]
    done = subprocess.run(command, capture_output=True, text=True)
    lines = own.read_text().splitlines()
    counts = [json.loads(line)["fields"] for line in lines]
    state = (
        f"{len(lines)} cases, {sum(map(len, counts))} fields, "
        f"{sum('error' in c for c in counts)} end in an error"
    )
    print(f"{name:<12} {time.perf_counter() - begin:6.0f} s  {state}", flush=True)
    if done.returncode:
        print(
            f"{name} FAILED ({done.returncode}); its lines stay in {own}\n{done.stderr[-3000:]}",
            flush=True,
        )
        return False
    with output.open("a") as file:
        file.write("".join(line + "\n" for line in lines))
    own.unlink()
    return True


def record_part(options):
    """All cases of a part, one line each."""
    sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "tests")]
    from _same_bits.record import recorded

    file, _, argument = (PARTS | ALONE)[options.name].partition(":")
    cases = importlib.import_module(f"_same_bits.{file}").cases
    seen = set()
    with options.file.open("w") as out:
        for name, call in cases(*([argument] if argument else [])):
            assert name not in seen, f"two cases of {options.name} are called {name}"
            seen.add(name)
            out.write(json.dumps(recorded(options.name, name, call)) + "\n")
            out.flush()
    return 0


# -- compare -------------------------------------------------------------------------------------
def read(path):
    """The lines of a file by (part, case)."""
    lines = map(json.loads, path.read_text().splitlines())
    return {(line["part"], line["case"]): line for line in lines}


def compare_files(options):
    """Print what differs; 1 where anything does."""
    old, new = read(options.old), read(options.new)
    if options.parts:
        keep = options.parts.split(",")
        old, new = ({k: v for k, v in lines.items() if k[0] in keep} for lines in (old, new))
    for key in sorted(old.keys() ^ new.keys()):
        print(f"{' / '.join(key)}: only in {options.old if key in old else options.new}")
    equal, differ, cases = 0, 0, sorted(old.keys() & new.keys())
    for key in cases:
        mine, theirs = old[key]["fields"], new[key]["fields"]
        names = [*mine, *(name for name in theirs if name not in mine)]
        off = [
            name
            for name in names
            if not same(mine.get(name, ABSENT), theirs.get(name, ABSENT), options.digits)
        ]
        for name in off[: options.lines]:
            before, after = shown(mine.get(name, ABSENT), theirs.get(name, ABSENT))
            print(f"{' / '.join(key)}: {name}\n  old {before}\n  new {after}")
        if len(off) > options.lines:
            print(f"{' / '.join(key)}: {len(off) - options.lines} more fields differ")
        equal, differ = equal + len(names) - len(off), differ + len(off)
    alone = len(old.keys() ^ new.keys())
    print(
        f"{len(cases)} cases, {equal} fields equal, {differ} differ; {alone} cases in one file "
        f"alone"
    )
    return 1 if differ or alone else 0


ABSENT = {"absent": True}


def same(mine, theirs, digits):
    """Equal bit for bit; with `digits`, floats to so many digits of the largest one of
    their array.
    """
    if mine == theirs:
        return True
    if not (is_array(mine) and is_array(theirs)) or any(
        mine.get(k) != theirs.get(k) for k in ("dtype", "shape", "kind")
    ):
        return False
    import numpy as np
    from _same_bits.record import opened

    a, b = opened(mine), opened(theirs)
    if digits is None or a.dtype.kind not in "fc":
        return a.tobytes() == b.tobytes()  # compressed bytes are those of a version of zlib
    finite = np.isfinite(a)
    if not np.array_equal(finite, np.isfinite(b)) or not np.array_equal(
        a[~finite], b[~finite], equal_nan=True
    ):
        return False
    largest = max(np.max(np.abs(a[finite]), initial=0.0), np.max(np.abs(b[finite]), initial=0.0))
    return bool(np.all(np.abs(a[finite] - b[finite]) <= largest * 10.0**-digits))


def is_array(field):
    return isinstance(field, dict) and "data" in field


def shown(mine, theirs):
    """Two fields as a line each; of arrays the first numbers that differ, with their places."""
    if not (is_array(mine) and is_array(theirs)) or any(
        mine[k] != theirs[k] for k in ("dtype", "shape")
    ):
        return [brief(field) for field in (mine, theirs)]
    from _same_bits.record import opened

    a, b = (opened(field).ravel() for field in (mine, theirs))
    places = [i for i, (u, v) in enumerate(zip(a, b, strict=True)) if u.tobytes() != v.tobytes()]
    head = f"{mine['dtype']}{mine['shape']}, {len(places)} of {len(a)} numbers:"
    return [
        " ".join([head, *(f"[{i}] {values[i].item()!r}" for i in places[:4])]) for values in (a, b)
    ]


def brief(field):
    """A field as one line."""
    if field == ABSENT:
        return "absent"
    if is_array(field):
        return f"{field['dtype']}{field['shape']}"
    text = field if isinstance(field, str) else json.dumps(field)
    return repr(text if len(text) < 400 else f"{text[:400]} ...")


if __name__ == "__main__":
    main()
