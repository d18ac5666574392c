"""What takes long says what it does, once, where somebody looks; Ctrl-C ends a call and a process
while something compiles.
"""

import io
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

import numpy as np
import pytest

import jaxscale as jsl
from jaxscale.ground import _life
from jaxscale.ground._life import Ended, Threads, finished, reached, saying, waited

SCRIPT = Path(__file__).parent / "interrupted.py"
posix = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


# -- Ctrl-C --------------------------------------------------------------------------------------
def interrupted(then):
    """Lines after Ctrl-C in the middle of compiling, with seconds after it; the exit status, its
    seconds, and stderr.
    """
    env = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("JAX_COMPILATION_CACHE", "JAX_PERSISTENT_CACHE"))
    }
    command = [sys.executable, str(SCRIPT), then]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
    ) as child:
        while (line := child.stdout.readline()) != "compiling\n":
            assert line, child.stderr.read()
        time.sleep(0.3)
        begin = time.monotonic()
        child.send_signal(signal.SIGINT)
        lines = [(line.strip(), time.monotonic() - begin) for line in child.stdout]
        status = child.wait(timeout=120)
        return lines, status, time.monotonic() - begin, child.stderr.read()


@posix
@pytest.mark.parametrize(("then", "status"), [("uncaught", -signal.SIGINT), ("caught", 130)])
def test_ctrl_c_ends_a_call_and_the_process_while_something_compiles(then, status):
    lines, ended, seconds, said = interrupted(then)
    # and not "compiled"
    assert [line for line, _ in lines] == ["ended"] + ["end"] * (then == "caught")
    assert lines[0][1] < 1.0
    assert ended == status
    assert seconds < 2.0  # a quarter of a second on quiet cores
    assert ("KeyboardInterrupt" in said) == (then == "uncaught")
    assert "terminate" not in said
    assert "FATAL" not in said


@posix
def test_after_ctrl_c_the_library_works():
    lines, status, _, said = interrupted("usable")
    assert status == 0, said
    assert [line for line, _ in lines if line != "compiled"][:2] == ["ended", "1.9"]
    # by the call that was ended; the next one waits for it
    assert sum(line == "compiled" for line, _ in lines) == 1
    assert lines[-1][0] == "end"


def test_what_is_left_behind_stops_at_its_next_report():
    steps, out, go = [], [], threading.Event()

    def work():
        try:
            with saying("steps", 100, "step"):
                for k in range(1000):
                    steps.append(k)
                    go.wait(0.01)
                    reached(0, k)
        except Ended:
            out.append("stopped")
            raise

    threads = Threads(1)

    def call():
        with threads:
            threads.submit(work)
            while len(steps) < 3:
                time.sleep(0.01)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call()
    for thread in threads.threads:
        thread.join(5)
    assert out == ["stopped"]
    assert len(steps) < 1000
    assert waited(lambda: 3) == 3


def test_errors_come_through_and_what_waits_is_not_begun():
    begun = []

    def failing():
        time.sleep(0.05)
        raise ValueError("as it was")

    def slow(k):
        begun.append(k)
        time.sleep(0.05)

    threads = Threads(1)

    def call():
        with threads:
            futures = [threads.submit(failing), *(threads.submit(slow, k) for k in range(50))]
            next(finished(futures[:1])).result()

    with pytest.raises(ValueError, match="as it was"):
        call()
    assert not any(t.is_alive() for t in threads.threads)
    assert len(begun) < 50


def test_a_wait_keeps_the_settings_of_its_caller_and_costs_little():
    with np.errstate(divide="ignore"):
        assert waited(lambda: np.geterr()["divide"]) == "ignore"
    # waited for already
    assert waited(lambda: waited(threading.current_thread) is threading.current_thread())
    assert waited(lambda: threading.current_thread().daemon)
    seconds = []
    for _ in range(200):
        begin = time.perf_counter()
        with saying("nothing"):
            waited(int)
        seconds.append(time.perf_counter() - begin)
    assert min(seconds) < 1e-3


# -- what is said --------------------------------------------------------------------------------
def work(seconds=0.35):
    """Two pieces of work, one inside the other, on a thread of ours."""

    def inner():
        with saying("compiling the sums of a law"):
            time.sleep(seconds)

    with saying("refits", 40, "refit", each=2) as said:
        said.reached("a block", 60)
        waited(inner)
        said.reached("a block", 80)


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr(_life, "_AFTER", 0.1)
    monkeypatch.setattr(_life, "_EVERY", 0.02)


def a_terminal(monkeypatch):
    """What it shows."""
    shown = io.StringIO()
    shown.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", shown)
    return shown


def test_a_terminal_shows_a_line_for_each_piece(soon, monkeypatch):
    screen = a_terminal(monkeypatch)
    work()
    shown = screen.getvalue()
    assert "refits:  75%" in shown
    assert "30/40" in shown
    assert "compiling the sums of a law: 00:00" in shown
    assert shown.endswith("\r")  # the lines are taken away


def test_what_is_fast_says_nothing(monkeypatch, caplog):
    screen = a_terminal(monkeypatch)
    caplog.set_level("INFO", "jaxscale")
    work(0.2)
    assert screen.getvalue() == ""
    assert not caplog.records


def test_elsewhere_the_logger_says_it_ever_more_rarely(soon, caplog):
    with caplog.at_level("INFO", "jaxscale"):
        caplog.handler.setLevel("INFO")
        logging.getLogger("jaxscale").setLevel("NOTSET")
        logging.getLogger().setLevel("INFO")
        work(0.5)
    said = [(r.name, r.levelname, r.getMessage().rstrip("0123456789. s")) for r in caplog.records]
    assert said == [
        ("jaxscale", "INFO", "refits: 30 of 40,"),
        ("jaxscale", "INFO", "compiling the sums of a law:"),
        ("jaxscale", "INFO", "compiling the sums of a law: ended after"),
        ("jaxscale", "INFO", "refits: ended after"),
    ]


@pytest.mark.parametrize("seen", [True, False])
def test_one_setting_silences_both(soon, caplog, monkeypatch, seen):
    screen = a_terminal(monkeypatch)
    monkeypatch.setattr(_life, "_seen", lambda: seen)
    with caplog.at_level("WARNING", "jaxscale"):
        work()
    assert screen.getvalue() == ""
    assert not caplog.records


def test_a_notebook_is_looked_at(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert not _life._seen()
    shell = types.SimpleNamespace(config={"IPKernelApp": {}})
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    assert _life._seen()
    shell.config = {}  # a terminal
    assert not _life._seen()


def test_fits_refits_plans_and_comparisons_say_what_they_do(monkeypatch):
    """By name, and as far as they are."""
    heard = []

    class Heard(_life.Saying):
        def close(self):
            if self.total is not None:
                assert self.done == self.total, self.text
            heard.append(f"{self.total or ''} {self.text}".strip())
            super().close()

    monkeypatch.setattr(_life, "Saying", Heard)
    runs, law = jsl.datasets.load("simulated"), jsl.laws.chinchilla
    fit = jsl.fit(law, runs, starts=16)
    assert heard[-2:] == ["2 compiling the sums of chinchilla", "16 starts"]
    jsl.bootstrap(fit, 20, starts=3)
    assert heard[-1] == "20 refits"
    heard.clear()
    jsl.allocate(fit, np.geomspace(1e20, 1e22, 5))
    assert set(heard) == {
        "5 plans",
        "loss, cost and limits of chinchilla, compiled when first asked",
    }
    jsl.compare(
        {"free": law, "alpha = beta": law.tie(beta="alpha")},
        runs,
        ratios=(2,),
        starts=8,
        resamples=10,
    )
    assert heard[-1] == "2 laws compared"
