"""Blocks run anywhere and give the same bits: threads, devices, processes, Dask, after a kill, whatever their borders."""

import errno
import multiprocessing
import os
import random
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import blocks_job
import jax
import numpy as np
import optax
import pytest

import jaxscale as jsl
from jaxscale import _prepare, _solve, _store, _tiles
from jaxscale._lanes import solve_block

HERE = Path(__file__).parent
DEVICES = [int(n) for n in os.environ.get("JAXSCALE_TEST_DEVICES", "1,2").split(",")]  # 1,2,4,8 by hand: each compiles
KILLS = int(os.environ.get("JAXSCALE_TEST_KILLS", "3"))  # 20 by hand; each costs an import


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    monkeypatch.setitem(_tiles.TILES, "cpu", blocks_job.SMALL)
    yield
    assert not jax.config.jax_enable_x64


@pytest.fixture(scope="module")
def point():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(_tiles.TILES, "cpu", blocks_job.SMALL)
        return blocks_job.fitted()


@pytest.fixture(scope="module")
def plain(point):
    """The result of this process, which all others must equal."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(_tiles.TILES, "cpu", blocks_job.SMALL)
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


# -- other engines ---------------------------------------------------------------------------------------------------
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
        distributed.LocalCluster(n_workers=3, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster,
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


def test_a_law_of_a_script_travels_with_cloudpickle_and_not_without(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, multiprocessing\n"
        "from concurrent.futures import ProcessPoolExecutor\n"
        "if len(sys.argv) > 1:\n"
        "    sys.modules['cloudpickle'] = None  # as if it were not installed\n"
        "import numpy as np\n"
        "import jaxscale as jsl\n"
        "from jaxscale.units import Nats, Params\n"
        "@jsl.law\n"
        "def mine(N: Params, *, A=jsl.positive(1, 1e3), alpha=jsl.positive(0.1, 1)) -> Nats:\n"
        "    return A * N**-alpha\n"
        "if __name__ == '__main__':\n"
        "    N = np.geomspace(1e7, 1e9, 16)\n"
        "    runs = jsl.Runs.from_columns(N=N, loss=300 * N**-0.25 * np.exp(0.01 * np.cos(np.arange(16))))\n"
        "    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context('spawn')) as pool:\n"
        "        print(jsl.fit(mine, runs, starts=4, executor=pool))\n"
    )
    with_it = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=240)
    assert with_it.returncode == 0, with_it.stderr[-2000:]
    assert "<Fit mine" in with_it.stdout
    without = subprocess.run([sys.executable, str(script), "without"], capture_output=True, text=True, timeout=240)
    assert "cannot be sent to an executor" in without.stderr
    assert "install cloudpickle" in without.stderr


def test_a_bare_optax_object_stays_in_its_process(point, tmp_path):
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        for place in ({"executor": pool}, {"directory": tmp_path / "job"}):
            with pytest.raises(jsl.InputError, match=r"solvers\.Optax"):
                jsl.fit(jsl.laws.chinchilla, point.problem.runs, starts=8, solver=optax.lbfgs(), **place)


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


# -- directories -----------------------------------------------------------------------------------------------------
def blocks(directory):
    return {p.name: p.read_bytes() for p in sorted(directory.glob("block_*.npz"))}


def test_killed_at_random_moments_and_resumed_to_the_same_bytes(plain, point, tmp_path):
    job, rng = tmp_path / "job", random.Random(0)
    for _ in range(KILLS):
        process, before = child(tmp_path / "out.npz", "--directory", job), len(blocks(job))
        more, deadline = rng.randint(1, max(1, 30 // KILLS)), time.monotonic() + 240
        while len(blocks(job)) < before + more and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(0.02 * rng.random())
        process.kill()
        process.communicate()
    kept = blocks(job)
    assert kept
    finished(child(tmp_path / "out.npz", "--directory", job))
    found = np.load(tmp_path / "out.npz")
    assert found["resumed"] >= 32 * (len(kept) - 1)
    same(found, plain)
    jsl.bootstrap(point, blocks_job.RESAMPLES, directory=tmp_path / "whole")
    assert blocks(job) == blocks(tmp_path / "whole")
    assert len(blocks(job)) == 41
    assert {k: v for k, v in blocks(job).items() if k in kept} == kept


def test_a_directory_of_another_job_is_refused_by_name(point, tmp_path):
    runs = point.problem.runs
    jsl.bootstrap(point, 64, directory=tmp_path / "job")
    kept = blocks(tmp_path / "job")
    with pytest.raises(jsl.InputError, match="another job: seed was"):
        jsl.bootstrap(point, 64, seed=1, directory=tmp_path / "job")
    with pytest.raises(jsl.InputError, match=r"another job: .*lanes was 64, is 96"):
        jsl.bootstrap(point, 96, directory=tmp_path / "job")
    other = jsl.fit(jsl.laws.chinchilla, runs.where(np.arange(48) < 47), starts=8)
    with pytest.raises(jsl.InputError, match="another job: data and options"):
        jsl.bootstrap(other, 64, directory=tmp_path / "job")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "thesis.tex").write_text("")
    with pytest.raises(jsl.InputError, match=r"no job\.json, but 'thesis\.tex'"):
        jsl.bootstrap(point, 64, directory=tmp_path / "used")
    assert blocks(tmp_path / "job") == kept


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b[:-9] + bytes([b[-9] ^ 1]) + b[-8:], lambda b: b""])
def test_a_damaged_block_is_found_and_the_others_are_kept(point, plain, tmp_path, damage):
    job = tmp_path / "job"
    jsl.bootstrap(point, 160, directory=job)
    whole, hurt = blocks(job), job / "block_000003.npz"
    hurt.write_bytes(damage(whole[hurt.name]))
    with pytest.raises(jsl.InputError, match=r"block_000003\.npz .* is damaged(.|\n)*delete that file"):
        jsl.bootstrap(point, 160, directory=job)
    assert {k: v for k, v in blocks(job).items() if k != hurt.name} == {k: v for k, v in whole.items() if k != hurt.name}
    hurt.unlink()
    boot = jsl.bootstrap(point, 160, directory=job)
    assert boot.work.resumed == 128
    assert blocks(job) == whole
    same(blocks_job.arrays(boot), {k: v[:160] for k, v in plain.items()})


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
        patch.setattr(_store.os, "fsync", failing(OSError(errno.ENOSPC, "No space left on device"), 4))
        with pytest.raises(jsl.InputError, match=r"3 of 5 blocks are stored(.|\n)*the disk is full(.|\n)*free some space"):
            jsl.bootstrap(point, 160, directory=job)
    assert not list(job.glob("*.part"))
    boot = jsl.bootstrap(point, 160, directory=job)
    assert boot.work.resumed == 96
    same(blocks_job.arrays(boot), {k: v[:160] for k, v in plain.items()})


def test_ctrl_c_leaves_what_is_done(point, plain, tmp_path):
    job = tmp_path / "job"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_store.os, "fsync", failing(KeyboardInterrupt(), 3))
        with pytest.raises(KeyboardInterrupt):
            jsl.bootstrap(point, 160, directory=job)
    assert len(blocks(job)) == 2
    boot = jsl.bootstrap(point, 160, directory=job)
    assert boot.work.resumed == 64
    same(blocks_job.arrays(boot), {k: v[:160] for k, v in plain.items()})


# -- inside a block --------------------------------------------------------------------------------------------------
def test_a_lane_depends_neither_on_its_slot_nor_on_its_neighbours(point):
    job = _prepare.prepare([[point.problem]], 96)
    job = _solve.dataclasses.replace(job, ranges=_prepare.projected(job))

    def lanes(first, count, tile=blocks_job.SMALL):
        out = _tiles.on_device(lambda: jax.device_get(solve_block(np.int32(first), np.int32(count), job, tile)))
        return out["x"][:count], out["value"][:count], out["steps"][:count]

    whole = [np.concatenate(v) for v in zip(lanes(0, 32), lanes(32, 32), lanes(64, 32), strict=True)]
    for first, count in ((7, 5), (20, 32), (95, 1), (3, 29)):
        for found, expected in zip(lanes(first, count), whole, strict=True):
            np.testing.assert_array_equal(found, expected[first : first + count])
    wide = lanes(0, 64, _tiles.Tile(32, 8, 64))  # another program, other roundings: why the tile is part of the promise
    np.testing.assert_allclose(wide[1], whole[1][:64], rtol=1e-12)


def test_a_budget_of_memory_lowers_the_slots_and_is_kept(point, monkeypatch):
    monkeypatch.setitem(_tiles.TILES, "cpu", _tiles.Tile(64, 8, 256))
    full = jsl.bootstrap(point, 64)
    budget = 48 * 16 * 8 * 4
    less = jsl.bootstrap(point, 64, memory=budget)
    assert full.work.slots == 64
    assert less.work.slots in (16, 32)
    np.testing.assert_allclose(less.value, full.value, rtol=1e-12)
    with pytest.raises(jsl.InputError, match=r"memory=100 bytes(.|\n)*fewer rows"):
        jsl.bootstrap(point, 64, memory=100)


def test_a_block_that_fails_is_heard_of_and_leaves_no_setting_behind(point, monkeypatch):
    def broken(*_):
        raise RuntimeError("a device was lost")

    monkeypatch.setattr(_solve, "judged", broken)
    with pytest.raises(RuntimeError, match="a device was lost"):
        jsl.bootstrap(point, 64)
