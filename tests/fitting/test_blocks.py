"""Blocks run anywhere and give the same bits: threads, devices, processes, Dask, after a kill,
whatever their borders.
"""

import errno
import itertools
import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import blocks_job
import jax
import numpy as np
import optax
import pytest
from cases import noisy

import jaxscale as jsl
from jaxscale.fitting import _blocks, _bootstrap, _host, _job, _run, _store
from jaxscale.fitting._lanes import begun, draw, solve_block
from jaxscale.fitting._problem import Problem
from jaxscale.ground._trees import node

HERE = Path(__file__).parent
KILLS = int(os.environ.get("JAXSCALE_TEST_KILLS", "3"))  # 20 by hand; each costs an import
# 1,2,4,8 by hand: each compiles
DEVICES = [int(n) for n in os.environ.get("JAXSCALE_TEST_DEVICES", "1,2").split(",")]


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    monkeypatch.setitem(_blocks.TILES, "cpu", blocks_job.SMALL)
    assert not jax.config.jax_enable_x64
    yield
    assert not jax.config.jax_enable_x64


@pytest.fixture(scope="module")
def point():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(_blocks.TILES, "cpu", blocks_job.SMALL)
        return blocks_job.fitted()


@pytest.fixture(scope="module")
def plain(point):
    """The result of this process, which all others must equal."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(_blocks.TILES, "cpu", blocks_job.SMALL)
        return blocks_job.arrays(jsl.bootstrap(point, blocks_job.RESAMPLES))


def same(found, expected):
    for k, v in expected.items():
        np.testing.assert_array_equal(found[k], v, err_msg=k)


def child(out, *options, **env):
    command = [sys.executable, str(HERE / "blocks_job.py"), str(out), *map(str, options)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **env})


def finished(process):
    _, error = process.communicate(timeout=240)
    assert process.returncode == 0, error[-2000:]


# -- other engines -------------------------------------------------------------------------------
def test_a_spawned_process_pool(point, plain):
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        boot = jsl.bootstrap(point, blocks_job.RESAMPLES, executor=pool)
        again = jsl.fit(jsl.laws.chinchilla, point.problem.runs, starts=8, executor=pool)
    same(blocks_job.arrays(boot), plain)
    assert boot.work.block == 32
    assert again.value == point.value
    assert again.params["beta"] == point.params["beta"]


@pytest.mark.filterwarnings("default")
def test_dask_with_a_worker_killed_on_the_way(point, plain):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=3, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        victim = next(iter(client.run(os.getpid).values()))
        executor, done = client.get_executor(), []

        class Counting:
            """The executor, with one worker killed when five blocks have come back."""

            def submit(self, *args):
                future = executor.submit(*args)
                future.add_done_callback(self.count)
                return future

            def count(self, _):
                done.append(1)
                if len(done) == 5:
                    os.kill(victim, signal.SIGKILL)

        boot = jsl.bootstrap(point, blocks_job.RESAMPLES, executor=Counting())
    assert len(done) == -(-blocks_job.RESAMPLES // 32) >= 40
    same(blocks_job.arrays(boot), plain)


SCRIPT = """
import multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor
if "without" in sys.argv:
    sys.modules["cloudpickle"] = None  # as if it were not installed
import numpy as np
import jaxscale as jsl
from jaxscale.units import Nats, Params
@jsl.law
def mine(N: Params, *, A=jsl.positive(1, 1e3), alpha=jsl.positive(0.1, 1)) -> Nats:
    return A * N**-alpha
if __name__ == "__main__":
    N = np.geomspace(1e7, 1e9, 16)
    runs = jsl.Runs.from_columns(N=N, loss=300 * N**-0.25 * np.exp(0.01 * np.cos(np.arange(16))))
    here = jsl.fit(mine, runs, starts=4)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        there = jsl.fit(mine, runs, starts=4, executor=pool)
    print("equal", here.value == there.value and here.params == there.params)
"""


@pytest.mark.parametrize("how", ["with", "without"])
def test_a_law_of_a_script_travels_with_cloudpickle_and_not_without(tmp_path, how):
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "script.py"), how],
        capture_output=True,
        text=True,
        timeout=240,
    )
    if how == "with":
        assert done.returncode == 0, done.stderr[-2000:]
        assert done.stdout.split() == ["equal", "True"]
    else:
        assert done.returncode == 1
        assert (
            "InputError: this job cannot be sent to an executor: the law is defined in __main__"
            in done.stderr
        )
        assert "define the law at the top level of a module" in done.stderr
        assert "install cloudpickle" in done.stderr


@pytest.mark.parametrize("place", ["executor", "directory"])
@pytest.mark.parametrize(
    "solver",
    [
        optax.lbfgs(),
        jsl.solvers.Optax(lambda: optax.sgd(1e-3)),
        jsl.solvers.Optax(optax.adam, optax.linear_schedule(1e-2, 0, 99)),
    ],
    ids=["bare", "lambda", "schedule"],
)
def test_a_solver_without_a_lasting_name_stays_in_its_process(point, tmp_path, solver, place):
    with ThreadPoolExecutor(1) as pool:
        where = {"executor": pool} if place == "executor" else {"directory": tmp_path / "job"}
        with pytest.raises(jsl.InputError, match=r"Change: (.|\n)*solvers\.Optax\("):
            jsl.fit(jsl.laws.chinchilla, point.problem.runs, starts=8, solver=solver, **where)
    assert not (tmp_path / "job").exists()


def test_two_processes_of_jax_distributed(plain, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    both = [child(tmp_path / f"{k}.npz", "--process", port, k) for k in range(2)]
    for process in both:
        finished(process)
    for k in range(2):
        same(np.load(tmp_path / f"{k}.npz"), plain)


@pytest.mark.parametrize("count", DEVICES)
def test_any_number_of_devices(plain, tmp_path, count):
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={count}"
    finished(child(tmp_path / "out.npz", XLA_FLAGS=flags))
    found = np.load(tmp_path / "out.npz")
    assert found["devices"] == count
    same(found, plain)


# -- directories ---------------------------------------------------------------------------------
def names(directory):
    return sorted(p.name for p in directory.glob("block_??????.npz"))


def blocks(directory):
    return {name: (directory / name).read_bytes() for name in names(directory)}


def test_killed_at_random_moments_and_resumed_to_the_same_bytes(point, tmp_path):
    job, out, rng = tmp_path / "job", tmp_path / "out.npz", random.Random(0)
    resamples = 32 * 12 * (KILLS + 1)
    expected = blocks_job.arrays(jsl.bootstrap(point, resamples, directory=tmp_path / "whole"))
    options, kept, moments = ("--directory", job, "--resamples", resamples), {}, []
    for _ in range(KILLS):
        # new blocks, counted from the first that is written
        process, more = child(out, *options), rng.randint(0, 5)
        deadline = time.monotonic() + 240
        while (
            len(names(job)) < len(kept) + more
            and process.poll() is None
            and time.monotonic() < deadline
        ):
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 1.5) if more == 0 else rng.uniform(0, 0.02))
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL, "the job ended before it was killed"
        after = blocks(job)
        assert {k: after[k] for k in kept} == kept
        moments.append(len(after) - len(kept))
        kept = after
    print(
        "new blocks before each kill:",
        moments,
        "of",
        resamples // 32,
        "parts left:",
        len(list(job.glob("*.part"))),
    )
    assert kept
    finished(child(out, *options))
    found = np.load(out)
    assert found["resumed"] == 32 * len(kept)
    same(found, expected)
    assert blocks(job) == blocks(tmp_path / "whole")
    assert len(blocks(job)) == resamples // 32 >= 40


def test_a_directory_of_another_job_is_refused_by_name(point, tmp_path):
    runs = point.problem.runs
    jsl.bootstrap(point, 64, directory=tmp_path / "job")
    kept = blocks(tmp_path / "job")
    with pytest.raises(jsl.InputError, match=r"another job: seed was \S+, is \S+\n"):
        jsl.bootstrap(point, 64, seed=1, directory=tmp_path / "job")
    with pytest.raises(
        jsl.InputError, match="another job: resamples was 64, is 96; lanes was 64, is 96\n"
    ):
        jsl.bootstrap(point, 96, directory=tmp_path / "job")
    other = jsl.fit(jsl.laws.chinchilla, runs.where(np.arange(48) < 47), starts=8)
    with pytest.raises(jsl.InputError, match=r"another job: data and options was \S+, is \S+\n"):
        jsl.bootstrap(other, 64, directory=tmp_path / "job")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "thesis.tex").write_text("")
    with pytest.raises(jsl.InputError, match=r"no job\.json, but 'thesis\.tex'"):
        jsl.bootstrap(point, 64, directory=tmp_path / "used")
    (tmp_path / "job" / "job.json").unlink()
    with pytest.raises(jsl.InputError, match=r"no job\.json, but 'block_000000\.npz'"):
        jsl.bootstrap(point, 64, directory=tmp_path / "job")
    assert blocks(tmp_path / "job") == kept


def test_a_directory_of_an_earlier_version_is_refused_by_name(point, tmp_path):
    """Written by 0.1.0: its bits are not promised to be those of this version, so they are not
    mixed.
    """
    kept = blocks(shutil.copytree(HERE / "fixtures" / "job_of_0.1.0", tmp_path / "job"))
    assert len(kept) == 2
    with pytest.raises(
        jsl.InputError,
        match=rf"another job: jaxscale was 0\.1\.0, is {re.escape(jsl.__version__)}[;\n]",
    ):
        jsl.bootstrap(point, 64, directory=tmp_path / "job")
    assert blocks(tmp_path / "job") == kept


def test_a_job_description_that_was_altered_is_refused(point, tmp_path):
    jsl.bootstrap(point, 32, directory=tmp_path / "job")
    about = tmp_path / "job" / "job.json"
    about.write_text(about.read_text()[:-20])
    with pytest.raises(jsl.InputError, match=r"job\.json is not readable"):
        jsl.bootstrap(point, 32, directory=tmp_path / "job")


@pytest.mark.parametrize("moment", ["exists", "iterdir"])
def test_processes_may_begin_the_same_directory_at_once(tmp_path, monkeypatch, moment):
    job, ask, begun = {"seed": "1"}, getattr(Path, moment), []

    def other_first(path):
        found = list(ask(path)) if moment == "iterdir" else ask(path)
        if path.name in ("job", "job.json") and not begun:
            begun.append(path)
            _store.Store(tmp_path / "job", job, 2).write(0, {"x": np.ones(1)})
        return found

    monkeypatch.setattr(Path, moment, other_first)
    store = _store.Store(tmp_path / "job", job, 2)
    assert begun
    np.testing.assert_array_equal(store.read(0)["x"], np.ones(1))
    assert json.loads((tmp_path / "job" / "job.json").read_text()) == job


@pytest.mark.parametrize(
    "damage",
    [lambda b: b[: len(b) // 2], lambda b: b[:-9] + bytes([b[-9] ^ 1]) + b[-8:], lambda b: b""],
)
def test_a_damaged_block_is_found_and_the_others_are_kept(point, plain, tmp_path, damage):
    job = tmp_path / "job"
    jsl.bootstrap(point, 160, directory=job)
    whole, hurt = blocks(job), job / "block_000003.npz"
    hurt.write_bytes(damage(whole[hurt.name]))
    with pytest.raises(
        jsl.InputError, match=r"block_000003\.npz .* is damaged(.|\n)*delete that file"
    ):
        jsl.bootstrap(point, 160, directory=job)
    assert {k: v for k, v in blocks(job).items() if k != hurt.name} == {
        k: v for k, v in whole.items() if k != hurt.name
    }
    hurt.unlink()
    boot = jsl.bootstrap(point, 160, directory=job)
    assert boot.work.resumed == 128
    assert blocks(job) == whole
    same(blocks_job.arrays(boot), {k: v[:160] for k, v in plain.items()})


def test_a_block_in_the_place_of_another_is_found(point, tmp_path):
    """Its own checksum fits: what it is, and of which job, is inside of it."""
    job, other = tmp_path / "job", tmp_path / "other"
    jsl.bootstrap(point, 96, directory=job)
    jsl.bootstrap(point, 96, seed=1, directory=other)
    for source, said in (
        (job / "block_000001.npz", "block 1 of 3"),
        (other / "block_000000.npz", "block 0 of 3"),
    ):
        shutil.copy(source, job / "block_000000.npz")
        with pytest.raises(
            jsl.InputError,
            match=rf"(?s)damaged: it is {said} of the job .*not block 0 of 3.*copied here",
        ):
            jsl.bootstrap(point, 96, directory=job)


def test_threads_write_one_directory_at_once(point, plain, tmp_path):
    with ThreadPoolExecutor(4) as pool:
        boots = list(
            pool.map(lambda _: jsl.bootstrap(point, 160, directory=tmp_path / "job"), range(4))
        )
    for boot in boots:
        same(blocks_job.arrays(boot), {k: v[:160] for k, v in plain.items()})
    assert not list((tmp_path / "job").glob("*.part"))


def scaled(k):
    def power(D, *, E=jsl.positive(0.5, 3), B=jsl.positive(1, 1e5), beta=jsl.positive(0.05, 1.5)):
        return E + B * D ** (-beta * k)

    return jsl.law(power)


def test_a_stored_job_of_another_closure_is_refused(point, tmp_path):
    runs = point.problem.runs
    jsl.fit(scaled(1.0), runs, starts=8, directory=tmp_path)
    assert jsl.fit(scaled(1.0), runs, starts=8, directory=tmp_path).work.resumed == 8
    with pytest.raises(jsl.InputError, match=r"what the law reads was .*k = 1\.0, is .*k = 3\.0\n"):
        jsl.fit(scaled(3.0), runs, starts=8, directory=tmp_path)


def test_what_cannot_be_described_is_refused_by_name(point, tmp_path):
    numbers = memoryview(b"12")

    @jsl.law
    def power(D, *, E=jsl.positive(0.5, 3), B=jsl.positive(1, 1e5)):
        return E + B * D ** -(0.01 * numbers[0])

    with pytest.raises(
        jsl.InputError, match=r"law power reads numbers, a memoryview, which cannot be described"
    ):
        jsl.fit(power, point.problem.runs, starts=8, directory=tmp_path)


@node(eq=True)
class Sharper(jsl.objectives.LogSquared):
    """An objective of one's own."""

    factor: ClassVar[float] = 1.0

    def loss(self, residual):
        return self.factor * residual**2


def test_a_stored_job_of_another_objective_is_refused(point, tmp_path, monkeypatch):
    runs = point.problem.runs
    jsl.fit(scaled(1.0), runs, objective=Sharper(), starts=8, directory=tmp_path)
    monkeypatch.setattr(Sharper, "factor", 2.0)
    with pytest.raises(
        jsl.InputError, match=r"another job: objective was Sharper \S+, is Sharper \S+\n"
    ):
        jsl.fit(scaled(1.0), runs, objective=Sharper(), starts=8, directory=tmp_path)


def test_a_joint_law_is_stored(point, tmp_path):
    r = point.problem.runs
    score = np.clip(0.9 - 0.2 * (r["loss"] - 1.7), 0.1, 0.95)
    runs = jsl.Runs.from_columns(
        N=r["N"], D=r["D"], s=score, target="s", units={"s": jsl.units.Fraction}
    )
    law = jsl.laws.chinchilla.then(jsl.laws.accuracy_from_loss.fix(k=4.0, x0=2.4))
    first = jsl.fit(law, runs, starts=8, directory=tmp_path)
    again = jsl.fit(law, runs, starts=8, directory=tmp_path)
    assert again.work.resumed == 8
    assert again.value == first.value


def failing(error, after):
    """`os.fsync` that raises once it has been called `after` times."""
    calls = []

    def fsync(number):
        calls.append(number)
        if len(calls) > after:
            raise error

    return fsync


def test_a_full_disk_says_so_and_loses_nothing(point, plain, tmp_path):
    job = tmp_path / "job"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", failing(OSError(errno.ENOSPC, "No space left on device"), 4))
        with pytest.raises(
            jsl.InputError,
            match=r"3 of 5 blocks are stored(.|\n)*the disk is full(.|\n)*free some space",
        ):
            jsl.bootstrap(point, 160, directory=job)
    assert not list(job.glob("*.part"))
    boot = jsl.bootstrap(point, 160, directory=job)
    assert boot.work.resumed == 96
    same(blocks_job.arrays(boot), {k: v[:160] for k, v in plain.items()})


def test_ctrl_c_leaves_what_is_done(point, plain, tmp_path):
    job = tmp_path / "job"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", failing(KeyboardInterrupt(), 3))
        with pytest.raises(KeyboardInterrupt):
            jsl.bootstrap(point, 160, directory=job)
    assert len(blocks(job)) == 2
    boot = jsl.bootstrap(point, 160, directory=job)
    assert boot.work.resumed == 64
    same(blocks_job.arrays(boot), {k: v[:160] for k, v in plain.items()})


# -- inside a block ------------------------------------------------------------------------------
def test_a_lane_depends_neither_on_its_slot_nor_on_its_neighbours(point):
    job = job_of(point, 96)
    job = _run.dataclasses.replace(job, ranges=_job.projected(job))

    def lanes(first, count, tile=blocks_job.SMALL):
        x = _blocks.on_device(lambda: begun(first, count, job, tile))
        out = _blocks.on_device(
            lambda: jax.device_get(solve_block(np.int32(first), np.int32(count), x, job, tile=tile))
        )
        return out["x"][:count], out["value"][:count], out["steps"][:count]

    whole = [
        np.concatenate(v) for v in zip(lanes(0, 32), lanes(32, 32), lanes(64, 32), strict=True)
    ]
    for first, count in ((7, 5), (20, 32), (95, 1), (3, 29)):
        for found, expected in zip(lanes(first, count), whole, strict=True):
            np.testing.assert_array_equal(found, expected[first : first + count])
    # another program, which rounds otherwise: same optima, other steps
    wider = lanes(0, 64, _blocks.Tile(32, 8, 64))
    for found, expected in zip(wider[:2], whole[:2], strict=True):
        np.testing.assert_allclose(found, expected[:64], rtol=1e-12)


def test_a_budget_of_memory_lowers_the_slots_and_is_kept(point, plain, monkeypatch):
    seen, solved = [], _bootstrap.solved
    monkeypatch.setattr(
        _bootstrap, "solved", lambda job, *a, **k: seen.append(job) or solved(job, *a, **k)
    )
    need = 16 * _run._lane_bytes(job_of(point))
    for budget, slots in ((None, 16), (need, 16), (need - 1, 8)):
        boot = jsl.bootstrap(point, 96, memory=budget)
        assert boot.work.slots == slots
        np.testing.assert_allclose(boot.value, plain["value"][:96], rtol=1e-12)
        assert taken(seen[-1], _blocks.Tile(slots, 8, 32)) <= (budget or _blocks.MEMORY)
    with pytest.raises(
        jsl.InputError, match=rf"memory=100 bytes(.|\n)*memory={need // 2} or more, or fewer rows"
    ):
        jsl.bootstrap(point, 96, memory=100)


@pytest.mark.parametrize("case", ["one table", "several tables", "groups", "lbfgs"])
def test_what_a_lane_is_said_to_take_is_what_the_compiler_counts_at_most(case):
    solver = jsl.solvers.Optax(optax.lbfgs) if case == "lbfgs" else jsl.solvers.Newton()
    job = long_job(
        800, sets=1 + (case == "several tables"), groups=6 if case == "groups" else 0, solver=solver
    )
    least = 16 * _run._lane_bytes(job)
    assert taken(job, _blocks.Tile(16, 8, 32)) <= least <= 3 * taken(job, _blocks.Tile(16, 8, 32))


def job_of(fit, starts=1):
    return _job.prepare([[fit.problem]], starts)


def long_job(rows, sets, groups, solver):
    """A job on tables of many rows; nothing of it is run."""
    law = jsl.laws.chinchilla.per(E="family") if groups else jsl.laws.chinchilla
    N, D = np.geomspace(5e7, 1e10, rows), np.geomspace(2e9, 3e11, rows)[::-1]
    labels = {"family": [f"f{i % groups}" for i in range(rows)]} if groups else {}
    runs = jsl.Runs.from_columns(
        N=N, D=D, loss=1.7 + 400 * N**-0.34 + 1100 * D**-0.33, groups=labels
    )
    problem = _job.Problem(law, runs, jsl.objectives.LogHuber(), solver, 0)
    return _job.prepare([[problem]] * sets, 8)


def taken(job, tile):
    """Bytes of intermediate results of the compiled program."""
    x = np.zeros((job.layout.size, tile.block))
    program = _blocks.on_device(
        lambda: solve_block.lower(np.int32(0), np.int32(0), x, job, tile=tile).compile()
    )
    return program.memory_analysis().temp_size_in_bytes


@pytest.mark.parametrize("place", ["threads of our own", "an executor"])
def test_a_block_that_fails_is_heard_of_and_leaves_no_setting_behind(point, monkeypatch, place):
    calls = itertools.count()

    def broken(host, lane, x):
        assert jax.config.jax_enable_x64
        raise RuntimeError(f"device {next(calls)} was lost")

    monkeypatch.setattr(_host.Host, "judged", broken)
    assert not jax.config.jax_enable_x64
    with ThreadPoolExecutor(1) as pool, pytest.raises(RuntimeError, match=r"device \d was lost"):
        jsl.bootstrap(point, 96, executor=pool if place == "an executor" else None)
    assert not jax.config.jax_enable_x64


def test_nothing_in_a_tile_calls_lapack():
    """See solvers/_cholesky: on the CPU two such tiles at once can wait for each other for ever."""
    problem = Problem(
        jsl.laws.busbridge,
        noisy("busbridge", 0.01, rows=slice(0, None, 7)),
        jsl.objectives.LogHuber(),
        jsl.solvers.Newton(),
    )
    with jax.enable_x64(True):
        job, tile = _job.prepare([[problem]], 4), _blocks.TILES["cpu"]
        text = solve_block.lower(
            np.int32(0), np.int32(4), np.zeros((job.layout.size, tile.block)), job, tile=tile
        ).as_text()
        text += draw.lower(np.zeros(tile.slots, np.int32), job).as_text()
    assert "lapack" not in text
    for collective in (
        "all_reduce",
        "all-reduce",
        "all_gather",
        "all-gather",
        "collective_permute",
    ):
        assert collective not in text
