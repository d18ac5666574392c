"""Jobs in directories, in pools, on eight devices and in two processes; killed, resumed, refused.
The same numbers everywhere.

Blocks are as small as a budget of memory makes them, so that there are several.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np

import jaxscale as jsl

from .made import CHINCHILLA, sweep

RESAMPLES = 1300  # 11 blocks of 128 lanes
KILLED = 3  # blocks that are stored before a job is killed


@lru_cache
def point():
    return jsl.fit(CHINCHILLA, sweep(), starts=8)


def refits(resamples=RESAMPLES, **options):
    return jsl.bootstrap(point(), resamples, memory=memory(), **options)


@lru_cache
def memory():
    """The least budget that a job of this law and these rows takes, which an error names."""
    try:
        jsl.bootstrap(point(), 8, memory=1)
    except jsl.InputError as error:
        return int(str(error).split("Change: memory=")[1].split()[0])
    raise AssertionError("a budget of one byte was not refused")


def cases():
    yield "here", lambda: {"fit": point(), "boot": refits(), "memory": memory()}
    yield "a directory, fresh and read again", fresh
    yield "a directory, killed and resumed", killed
    yield "a directory with a block lost", lost
    yield "a directory of a fit", of_fit
    yield "directories that are refused", refused
    yield "threads", lambda: pooled(ThreadPoolExecutor(2))
    yield (
        "processes",
        lambda: pooled(ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))),
    )
    yield (
        "eight devices",
        lambda: elsewhere(
            XLA_FLAGS=f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"
        ),
    )
    yield "two processes", two_processes


# -- directories ---------------------------------------------------------------------------------
def contents(folder):
    """Names and SHA-256 of blocks, and what the job says of itself, without versions."""
    blocks = {
        p.name: hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(Path(folder).glob("block_??????.npz"))
    }
    others = sorted(
        p.name
        for p in Path(folder).iterdir()
        if p.name not in blocks and not p.name.endswith(".part")
    )
    about = json.loads((Path(folder) / "job.json").read_text())
    about["jaxscale"] = "<version>" if about["jaxscale"] == jsl.__version__ else about["jaxscale"]
    return {"blocks": blocks, "others": others, "job": about, "keys": list(about)}


def fresh():
    with tempfile.TemporaryDirectory() as folder:
        boot = refits(directory=folder)
        first = contents(folder)
        again = refits(directory=folder)
        return {
            "boot": boot,
            "again": again,
            "contents": first,
            "unchanged": contents(folder) == first,
        }


def killed():
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder) / "job"
        code = (
            f"import sys; sys.path[:0] = {sys.path[:3]!r}; from _same_bits import places; "
            f"places.die_midway({str(job)!r})"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        some = len(list(job.glob("block_??????.npz")))
        boot = refits(directory=job)
        resumed = boot.work.resumed
        return {
            "killed": done.returncode == -signal.SIGKILL,
            "midway": KILLED <= some < -(-RESAMPLES // 128),
            "resumed": resumed == 128 * some,
            "params": boot.params,
            "value": boot.value,
            "status": boot.status,
            "contents": contents(job),
        }


class Dying(ThreadPoolExecutor):
    """A pool that kills its process when some blocks have been stored."""

    def __init__(self, folder):
        super().__init__(1)
        self.folder, self.taken = Path(folder), 0

    def submit(self, *arguments):
        self.taken += 1
        if self.taken > KILLED + 2:
            return super().submit(self.kill)
        return super().submit(*arguments)

    def kill(self):
        while len(list(self.folder.glob("block_??????.npz"))) < KILLED:
            time.sleep(0.005)
        os.kill(os.getpid(), signal.SIGKILL)


def die_midway(folder):
    refits(directory=folder, executor=Dying(folder))


def lost():
    with tempfile.TemporaryDirectory() as folder:
        refits(300, directory=folder)
        first, out = contents(folder), {}
        block = Path(folder) / "block_000001.npz"
        whole = block.read_bytes()
        block.write_bytes(whole[: len(whole) // 2])
        try:
            refits(300, directory=folder)
        except jsl.InputError as error:
            out["damaged"] = str(error)
        block.unlink()
        boot = refits(300, directory=folder)
        return {**out, "boot": boot, "contents": first, "unchanged": contents(folder) == first}


def of_fit():
    with tempfile.TemporaryDirectory() as folder:
        fits = [jsl.fit(CHINCHILLA, sweep(), starts=8, directory=folder) for _ in range(2)]
        return {"fits": fits, "contents": contents(folder)}


def refused():
    """What a directory of another job says; its own hashes are part of the text."""
    out = {}
    with tempfile.TemporaryDirectory() as folder:
        job, used = Path(folder) / "job", Path(folder) / "used"
        refits(64, directory=job)
        used.mkdir()
        (used / "thesis.tex").write_text("")
        other = jsl.fit(CHINCHILLA, sweep(seed=1), starts=8)
        calls = {
            "another seed": lambda: refits(64, seed=1, directory=job),
            "more resamples": lambda: refits(96, directory=job),
            "another table": lambda: jsl.bootstrap(other, 64, memory=memory(), directory=job),
            "another kind": lambda: refits(64, kind="bayes", directory=job),
            "used for something else": lambda: refits(64, directory=used),
            "no job": lambda: ((job / "job.json").unlink(), refits(64, directory=job)),
            "unreadable": lambda: ((job / "job.json").write_text("{"), refits(64, directory=job)),
        }
        for name, call in calls.items():
            try:
                call()
                out[name] = "nothing was refused"
            except jsl.InputError as error:
                out[name] = str(error)
    return out


# -- other places --------------------------------------------------------------------------------
def pooled(pool):
    with pool:
        return {
            "boot": refits(600, executor=pool),
            "fit": jsl.fit(CHINCHILLA, sweep(), starts=8, executor=pool),
        }


def child(out, *options, **env):
    code = (
        f"import sys; sys.path[:0] = {sys.path[:3]!r}; from _same_bits import places; places.main()"
    )
    command = [sys.executable, "-c", code, str(out), *map(str, options)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **env})


def finished(process, out):
    _, error = process.communicate(timeout=300)
    if process.returncode:
        return {"code": process.returncode, "error": error[-500:]}
    with np.load(out) as found:
        return {k: found[k] for k in found.files}


def elsewhere(**env):
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.npz"
        return finished(child(out, **env), out)


def two_processes():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{k}.npz" for k in range(2)]
        both = [child(file, "--process", port, k) for k, file in enumerate(files)]
        return {
            str(k): finished(process, file)
            for k, (process, file) in enumerate(zip(both, files, strict=True))
        }


def main():
    """A child process: the same refits, written as arrays."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--process", nargs=2, type=int)
    options = parser.parse_args()
    import jax

    if options.process:
        port, number = options.process
        jax.distributed.initialize(f"127.0.0.1:{port}", 2, number)
    boot = refits()
    arrays = {
        **boot.params,
        "value": boot.value,
        "status": boot.status,
        "gradient": boot.certificate.gradient,
    }
    np.savez(options.out, devices=jax.local_device_count(), **arrays)
