"""Signs of life: what a call that takes longer than a second says it is doing, and how Ctrl-C ends
it at once.

`saying` names a piece of work. Once it has lasted a second it is a line on a terminal and in a
notebook; elsewhere it goes to the logger `jaxscale`, level INFO.
`logging.getLogger("jaxscale").setLevel("WARNING")` silences both.

A compiler cannot be interrupted, so the thread that was called does not compile: daemon `Threads`
work, and who waits for them (`finished`) says every tenth of a second what they do. Ctrl-C ends the
wait. What is left behind stops at the next report of its progress (`reached`, `alive`), after what
it compiles; neither later calls nor the end of the process wait for it.
"""

from __future__ import annotations

import atexit
import contextlib
import contextvars
import gc
import io
import logging
import os
import queue
import shutil
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any

LOG = logging.getLogger("jaxscale")
_AFTER = 1.0  # seconds before anything is said
_EVERY = 0.1  # seconds between two looks at what is done
_GRACE = 0.2  # seconds that the end of a process leaves to threads that may end by themselves
_lock = threading.Lock()  # of lines: they are drawn by who waits and closed by who works
_left: list[threading.Thread] = []  # threads of calls that were ended


class Ended(BaseException):
    """Nobody waits for this work any more."""


class _Stop:
    """Whether a call was ended, or the one that it is part of."""

    def __init__(self, above: _Stop | None) -> None:
        self.above, self.ended = above, False

    def check(self) -> None:
        if self.ended:
            raise Ended
        if self.above is not None:
            self.above.check()


class Saying:
    """A piece of work: what it is, and how much of `total` is done where that is known."""

    def __init__(self, text: str, total: int | None, unit: str, each: int) -> None:
        self.text, self.total, self.unit, self.each = text, total, unit, each
        self.parts: dict[Any, int] = {}
        self.begin = time.monotonic()
        self.next, self.told, self.closed = self.begin + _AFTER, False, False
        self.bar: Any = None

    @property
    def done(self) -> int:
        return sum(list(self.parts.values())) // self.each

    def reached(self, part: Any, done: int) -> None:
        """So much of a part is done; the same part may be told again."""
        self.parts[part] = done

    def update(self, more: int = 1) -> None:
        """So much more is done."""
        self.parts[None] = self.parts.get(None, 0) + more

    def tell(self) -> None:
        """Draw or log this work, if it is time."""
        now = time.monotonic()
        if now < self.next:
            return
        with _lock:
            if self.closed or LOG.level > logging.INFO or LOG.disabled:
                return
            if not _seen():
                LOG.info("%s", self._sentence(now))
                # after 1, 3, 9, ... seconds
                self.next = now + min(max(2.0 * (now - self.begin), 2.0), 60.0)
            else:
                self._draw(now)
                self.next = now + _EVERY
            self.told = True

    def _draw(self, now: float) -> None:
        if self.bar is None:
            shape: dict[str, Any] = {} if self.total else {"bar_format": "{desc}: {elapsed}"}
            # of which each takes a time of its own: how long the rest takes is not known
            if self.unit == "program":
                shape = {"bar_format": "{desc}: {n_fmt} of {total_fmt}, {elapsed}"}
            # 80 by 24 where a terminal says 0 by 0, to which tqdm writes nothing
            wide, tall = shutil.get_terminal_size()
            shape |= {} if _notebook() else {"ncols": wide - 1, "nrows": tall}
            self.bar = _tqdm()(
                total=self.total, desc=self.text, unit=self.unit, leave=False, **shape
            )
            self.bar.start_t -= now - self.begin
        self.bar.n = self.done
        self.bar.refresh()

    def _sentence(self, now: float) -> str:
        of = f"{self.done:,} of {self.total:,}, " if self.total else ""
        return f"{self.text}: {of}{now - self.begin:.1f} s"

    def close(self) -> None:
        """Take the line away, or log how long it took."""
        with _lock:
            if self.closed:
                return
            self.closed = True
            if self.bar is not None:
                self.bar.close()
            elif self.told:
                LOG.info("%s: ended after %.1f s", self.text, time.monotonic() - self.begin)


# shared by threads of a call
_said: contextvars.ContextVar[list[Saying] | None] = contextvars.ContextVar("said", default=None)
_own: contextvars.ContextVar[Saying | None] = contextvars.ContextVar("own", default=None)
# only in threads of ours
_stop: contextvars.ContextVar[_Stop | None] = contextvars.ContextVar("stop", default=None)


@contextlib.contextmanager
def saying(
    text: str, total: int | None = None, unit: str = "it", each: int = 1
) -> Iterator[Saying]:
    """Say that this is being done, if it lasts longer than a second: `with saying("plans", total=n,
    unit="plan") as said`.

    Progress is told in pieces of which `each` make one unit.
    """
    alive()
    with _heard() as said:
        one = Saying(text, total, unit, each)
        said.append(one)
        token = _own.set(one)
        try:
            yield one
        finally:
            _own.reset(token)
            said.remove(one)
            one.close()


def reached(part: Any, done: int) -> None:
    """Tell the work that this is part of how far it is; raises where nobody waits for it
    any more.
    """
    alive()
    if (own := _own.get()) is not None:
        own.reached(part, done)


def alive() -> None:
    """Raise where nobody waits for this work any more."""
    if (stop := _stop.get()) is not None:
        stop.check()


def waited(call: Callable[[], Any]) -> Any:
    """`call()` on a thread of ours, so that Ctrl-C ends the wait for it; on the present one if that
    is waited for already.
    """
    alive()
    if _stop.get() is not None:
        return call()
    with Threads(1) as threads:
        return next(finished([threads.submit(call)])).result()


def finished(futures: Iterable[Future[Any]]) -> Iterator[Future[Any]]:
    """Futures in the order in which they end; meanwhile what is being done is said."""
    ended, every = queue.SimpleQueue[Future[Any]](), list(futures)
    for future in every:
        future.add_done_callback(ended.put)
    for _ in every:
        while True:
            alive()
            if _stop.get() is None:
                for one in list(_said.get() or ()):
                    one.tell()
            with contextlib.suppress(queue.Empty):
                future = ended.get(timeout=_EVERY)
                break
        yield future


class Threads:
    """Daemon threads that take calls in turn. Unlike an executor's they hold up neither Ctrl-C nor
    the end of the process.
    """

    def __init__(self, count: int, begin: Callable[[], None] | None = None) -> None:
        self.stop = _Stop(_stop.get())
        self.calls = queue.SimpleQueue[Any]()
        self.futures: list[Future[Any]] = []
        self.threads = [
            threading.Thread(target=_serve, args=(self.calls, begin), daemon=True)
            for _ in range(count)
        ]

    def submit(self, call: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """`call(*arguments)`, once a thread is free."""
        future = Future[Any]()
        context = contextvars.copy_context()
        context.run(_stop.set, self.stop)
        self.futures.append(future)
        self.calls.put((future, context, call, arguments))
        return future

    def __enter__(self) -> Threads:
        self.heard = _heard()
        self.mark = len(self.heard.__enter__())
        try:
            for thread in self.threads:
                thread.start()
        # no more threads can be had: those that run end, and the call fails
        except BaseException as error:
            self.threads = [thread for thread in self.threads if thread.ident is not None]
            self.__exit__(type(error))
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: Any) -> None:
        try:
            for future in self.futures if kind else ():
                future.cancel()
            for _ in self.threads:
                self.calls.put(None)
            for thread in self.threads if kind is None or issubclass(kind, Exception) else ():
                while thread.is_alive():
                    thread.join(_EVERY)
        finally:
            if any(thread.is_alive() for thread in self.threads):
                self.stop.ended = True
                for one in (_said.get() or [])[self.mark :]:
                    one.close()
                _leave_behind(self.threads)
            self.heard.__exit__(kind, *rest)


@contextlib.contextmanager
def _heard() -> Iterator[list[Saying]]:
    """What is said in this call, outermost first."""
    if (said := _said.get()) is not None:
        yield said
        return
    token = _said.set(said := [])
    try:
        yield said
    finally:
        _said.reset(token)


def _serve(calls: queue.SimpleQueue[Any], begin: Callable[[], None] | None) -> None:
    began = begin is None
    while (job := calls.get()) is not None:
        future, context, call, arguments = job
        if future.set_running_or_notify_cancel():
            try:
                if begin is not None and not began:
                    begin()
                    began = True
                found = context.run(call, *arguments)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(found)
                del found
        # or the last of them would live as long as the thread
        del job, future, context, call, arguments


# -- where it is said ----------------------------------------------------------------------------
def _seen() -> bool:
    """Whether somebody looks at a line: on a terminal or in a notebook."""
    return _notebook() or (sys.stderr is not None and sys.stderr.isatty())


def _notebook() -> bool:
    if "IPython" not in sys.modules or "ipykernel" not in sys.modules:
        return False
    shell = sys.modules["IPython"].get_ipython()
    return shell is not None and "IPKernelApp" in shell.config


def _tqdm() -> Any:
    with warnings.catch_warnings():
        # a notebook without widgets gets a line of text, which is enough
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm
    return tqdm


# -- the end of a process ------------------------------------------------------------------------
def _leave_behind(threads: list[threading.Thread]) -> None:
    with _lock:
        _left[:] = [t for t in (*_left, *threads) if t.is_alive()]


def _leave() -> None:
    """End a process whose compiler still works for a call that was ended.

    Python cannot end a thread inside the compiler, and kills it, and with it the process, when it
    comes back while Python ends itself. So this runs at the end, after what was registered later,
    writes what open files still hold, and ends the process without more ado: with SIGINT if Ctrl-C
    was not caught, else with status 130, since the real one cannot be known here.
    """
    if _left:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is ending already
    until = time.monotonic() + _GRACE
    for thread in _left:
        thread.join(max(0.0, until - time.monotonic()))
    if not any(thread.is_alive() for thread in _left):
        return
    logging.shutdown()
    for stream in (
        sys.stdout,
        sys.stderr,
        *(v for v in gc.get_objects() if isinstance(v, io.IOBase)),
    ):
        with contextlib.suppress(Exception):
            stream.flush()
    uncaught = None if hasattr(sys, "ps1") else getattr(sys, "last_type", None)
    # as Python does
    if uncaught is not None and issubclass(uncaught, KeyboardInterrupt) and os.name == "posix":
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.raise_signal(signal.SIGINT)
    os._exit(0 if hasattr(sys, "ps1") else 130 if uncaught is None else 1)


atexit.register(_leave)
