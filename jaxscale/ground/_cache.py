"""Compiled programs on disk, so that the next process need not compile them again: JAX's own cache,
set up for small programs.

What lies there is machine code that JAX loads and runs: a folder that others may write to is
refused, and every type of processor has a folder of its own, because a home directory is often
shared by several.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
from jax.experimental.compilation_cache.compilation_cache import reset_cache

from ._errors import refuse
from ._life import LOG

_DIR = "jax_compilation_cache_dir"
_SECONDS, _BYTES = (
    "jax_persistent_cache_min_compile_time_secs",
    "jax_persistent_cache_min_entry_size_bytes",
)
_PLAIN = {_SECONDS: 1.0, _BYTES: 0}  # what they are in JAX unless somebody sets them
# ours compile in less than a second each, and are small
_WANTED: dict[str, Any] = {_SECONDS: 0.0, _BYTES: -1}
_MISSES = 8  # programs that are not found in a folder that has some, before that is told


@dataclass
class _Watch:
    """What was found in a cache since it was set; `there` were so many programs then."""

    there: int
    hits: int = 0
    misses: int = 0


_watched: list[_Watch] = []


def cache(folder: str | os.PathLike[str] | None = None) -> None:
    """Keep compiled programs on disk from now on, and print what was set: a law's first fit then
    waits for no compiler.

    The folder is `folder`, else `$JAXSCALE_CACHE_DIR`, else the user's folder for caches, and in it
    one for this type of processor, which only its owner may enter. Three settings of JAX change,
    `jax_compilation_cache_dir` and two thresholds that would leave out small programs; what the
    user has set (`JAX_COMPILATION_CACHE_DIR`) stays as it is. It may be called at any time: what
    was compiled before is not kept. Where nothing of a folder that has programs is found again, the
    logger `jaxscale` says so. The command line calls it by itself. To clear the cache, remove the
    folder.

    Raises InputError for a folder that belongs to somebody else or that others may write to: they
    could have this process run what they like.

    >>> import jaxscale as jsl
    >>> jsl.cache()  # doctest: +ELLIPSIS
    compiled programs are kept in ...
    """
    own = getattr(jax.config, _DIR)  # from the environment, or set by hand
    new, left = list[str](), list[str]()
    if own and folder is None:
        place = Path(own)
        trouble = _trouble(place.expanduser().resolve()) if place.is_dir() else ""
        left.append(
            f"{_DIR}"
            + (
                f" (but {trouble}, who could have this process run what they like)"
                if trouble
                else ""
            )
        )
    else:
        place = _made(
            Path(folder or os.environ.get("JAXSCALE_CACHE_DIR") or _of_the_user())
            / "compiled"
            / processor()
        )
        new.append(_DIR)
        jax.config.update(_DIR, str(place))
        reset_cache()  # JAX decides once whether and where it has a cache, when it first compiles
    for name, value in _WANTED.items():
        now = getattr(jax.config, name)
        if now == _PLAIN[name] and name.upper() not in os.environ:
            jax.config.update(name, value)
            new.append(f"{name}={value:g}")
        else:
            left.append(f"{name}={now:g}")
    files = [f for f in place.glob("*-cache") if f.is_file()] if place.is_dir() else []
    size = sum(f.stat().st_size for f in files)
    said = [
        f"{word}: {', '.join(names)}"
        for word, names in (("set", new), ("left as it was", left))
        if names
    ]
    print(
        "; ".join(
            [
                f"compiled programs are kept in {place} ({len(files)} there, {size / 1e6:.1f} MB)",
                *said,
            ]
        )
    )
    _watched[:] = [_Watch(len(files))]
    _listen()


@functools.cache
def _listen() -> None:
    jax.monitoring.register_event_listener(_heard)


def _heard(event: str, **_: Any) -> None:
    """Count programs that were found and not found; tell once if none is, although there
    are some.
    """
    watch = _watched[0]
    watch.hits += event == "/jax/compilation_cache/cache_hits"
    if event == "/jax/compilation_cache/cache_misses":
        watch.misses += 1
        if watch.misses == _MISSES and watch.there and not watch.hits:
            LOG.warning(
                "cache(): of %d programs none was found in %s, which had %d: they are those of "
                "another version of JAX or of other XLA_FLAGS, or JAX cannot read back what it "
                "compiles for this processor",
                watch.misses,
                getattr(jax.config, _DIR),
                watch.there,
            )


def processor() -> str:
    """The type of this machine's processor: its architecture, and a hash of its model and of the
    instructions that it has.
    """
    words = [platform.machine()]
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        wanted = (
            "vendor_id",
            "cpu family",
            "model",
            "model name",
            "flags",
            "Features",
            "CPU implementer",
            "CPU part",
        )
        first = {k.strip(): v for k, _, v in (line.partition(":") for line in reversed(lines))}
        words += [" ".join(sorted(first[k].split())) for k in wanted if k in first]
    except OSError:
        words.append(platform.processor())
        if sys.platform == "darwin":
            asked = subprocess.run(
                ["sysctl", "-n", "machdep.cpu.brand_string"],
                capture_output=True,
                text=True,
                check=False,
                timeout=10,
            )
            words.append(asked.stdout)
    return f"{platform.machine() or 'cpu'}-{hashlib.sha256(repr(words).encode()).hexdigest()[:10]}"


def _of_the_user() -> Path:
    """Where this system keeps caches of a user."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "jaxscale"
    if os.name == "nt":
        return (
            Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
            / "jaxscale"
            / "Cache"
        )
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jaxscale"


def _made(folder: Path) -> Path:
    """The folder, there and safe."""
    try:
        folder = folder.expanduser().absolute()
        for own in reversed([v for v in (folder, *folder.parents) if not v.exists()]):
            own.mkdir(mode=0o700, exist_ok=True)
    except (OSError, RuntimeError, ValueError) as error:  # no such home, no such name
        raise refuse(
            f"cache(): {str(folder)!r} cannot be made ({error})",
            why="the home directory cannot be written to, or the disk is full",
            change="JAXSCALE_CACHE_DIR=... or cache(folder), a folder of your own",
        ) from error
    folder = folder.resolve()
    if trouble := _trouble(folder):
        raise refuse(
            f"cache(): {trouble}, who could have this process run what they like",
            why="the folder is shared, or its disk knows no owners",
            change="chmod 700 of what is named, if it is yours; else cache(folder), or "
            "JAXSCALE_CACHE_DIR, below your own home",
        )
    return folder


def _alone(group: int) -> bool:
    """Whether a group is that of the user alone, named like the user, as most systems make it."""
    import grp  # not on every system, and only those with owners ask
    import pwd

    try:
        found, user = grp.getgrgid(group), pwd.getpwuid(os.getuid())
    except KeyError:
        return False
    return found.gr_name == user.pw_name and set(found.gr_mem) <= {user.pw_name}


def _trouble(folder: Path) -> str:
    """What is wrong with a folder of code, or above it: somebody else may change what
    lies there.
    """
    if os.name != "posix":
        return ""
    mine = os.getuid()
    for own in (folder, *folder.parents):
        found = own.stat()
        if found.st_uid != mine and (own == folder or found.st_uid):  # root may own what is above
            return f"{own} belongs to somebody else (uid {found.st_uid})"
        shared = found.st_mode & (
            stat.S_IWOTH if own != folder and _alone(found.st_gid) else stat.S_IWOTH | stat.S_IWGRP
        )
        if shared and (own == folder or not found.st_mode & stat.S_ISVTX):
            return f"{own} can be written to by others (mode {stat.S_IMODE(found.st_mode):o})"
    return ""
