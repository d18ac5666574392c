"""One line keeps compiled programs on disk, says what it set, and loads nobody else's code."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest
from jax.experimental.compilation_cache.compilation_cache import reset_cache

import jaxscale as jsl
from jaxscale.ground import _cache

NAMES = (_cache._DIR, _cache._SECONDS, _cache._BYTES)
posix = pytest.mark.skipif(os.name != "posix", reason="owners and modes of POSIX")


@pytest.fixture
def plain(monkeypatch):
    """JAX as it comes, without a cache."""
    before = {name: getattr(jax.config, name) for name in NAMES}
    for name in (*(n.upper() for n in NAMES), "JAXSCALE_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    jax.config.update(_cache._DIR, None)
    for name, value in _cache._PLAIN.items():
        jax.config.update(name, value)
    yield
    for name, value in before.items():
        jax.config.update(name, value)
    reset_cache()


def compiled(number):
    """A program that no other test compiles."""
    return float(jax.jit(lambda x: jnp.sin(x) + number)(1.0))


def test_it_works_late_and_says_what_it_set(plain, tmp_path, capsys, monkeypatch):
    compiled(17.25)  # JAX has decided that there is no cache
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(_cache.sys, "platform", "linux")
    jsl.cache()
    place = tmp_path / "jaxscale" / "compiled" / _cache.processor()
    said = capsys.readouterr().out
    assert said == (
        f"compiled programs are kept in {place} (0 there, 0.0 MB); set: jax_compilation_cache_dir, "
        "jax_persistent_cache_min_compile_time_secs=0, "
        "jax_persistent_cache_min_entry_size_bytes=-1\n"
    )
    assert place.stat().st_mode & 0o777 == 0o700 or os.name != "posix"
    compiled(18.25)
    assert list(place.glob("jit__lambda*-cache"))
    jsl.cache()
    assert "left as it was: jax_compilation_cache_dir, jax_persistent" in capsys.readouterr().out


def test_what_the_user_has_set_stays(plain, tmp_path, capsys, monkeypatch):
    jax.config.update(_cache._DIR, str(tmp_path))
    monkeypatch.setenv(_cache._SECONDS.upper(), "1")
    jsl.cache()
    assert capsys.readouterr().out == (
        f"compiled programs are kept in {tmp_path} (0 there, 0.0 MB); set: "
        f"jax_persistent_cache_min_entry_size_bytes=-1; "
        "left as it was: jax_compilation_cache_dir, jax_persistent_cache_min_compile_time_secs=1\n"
    )
    assert getattr(jax.config, _cache._DIR) == str(tmp_path)
    jsl.cache(tmp_path / "mine")
    assert getattr(jax.config, _cache._DIR).startswith(str(tmp_path / "mine" / "compiled"))


@posix
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_may_write_to_is_refused(plain, tmp_path, mode):
    place = tmp_path / "compiled" / _cache.processor()
    place.mkdir(parents=True)
    place.chmod(mode)
    with pytest.raises(
        jsl.InputError, match=rf"written to by others \(mode {mode:o}\)(.|\n)*chmod 700"
    ):
        jsl.cache(tmp_path)
    assert getattr(jax.config, _cache._DIR) is None


@posix
def test_so_is_one_below_such_a_folder_and_one_of_somebody_else(plain, tmp_path, monkeypatch):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.raises(jsl.InputError, match=r"shared can be written to by others"):
        jsl.cache(shared / "own")
    shared.chmod(0o1777)  # as /tmp: what is mine there stays mine
    jsl.cache(shared / "own")
    jax.config.update(_cache._DIR, None)
    user = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: user + 1)
    with pytest.raises(jsl.InputError, match=rf"belongs to somebody else \(uid {user}\)"):
        jsl.cache(shared / "own")
    assert getattr(jax.config, _cache._DIR) is None


def test_a_folder_that_cannot_be_made_says_so(plain, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(jsl.InputError, match="cannot be made"):
        jsl.cache(tmp_path / "file")


def test_a_cache_that_is_never_hit_is_told(plain, tmp_path, caplog):
    jsl.cache(tmp_path)
    compiled(19.25)
    jsl.cache(tmp_path)  # there are programs now
    jax.config.update(_cache._DIR, None)
    jsl.cache(tmp_path)
    for number in range(_cache._MISSES + 3):
        compiled(20.25 + number)
    (told,) = [r for r in caplog.records if r.name == "jaxscale"]
    assert told.levelname == "WARNING"
    assert f"of {_cache._MISSES} programs none was found in {tmp_path}" in told.getMessage()


def test_the_next_process_compiles_nothing(tmp_path):
    code = (
        "import jax, jaxscale as jsl; from jax import monitoring; seen = []\n"
        "monitoring.register_event_listener(lambda event, **_: "
        "seen.append(event.rpartition('/')[2]))\n"
        f"jsl.cache({str(tmp_path)!r})\n"
        "jsl.allocate(jsl.laws.chinchilla.published['hoffmann2022'], 1e24)\n"
        "print(seen.count('cache_hits'), seen.count('cache_misses'))"
    )
    env = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("JAX_COMPILATION_CACHE", "JAX_PERSISTENT_CACHE"))
    }
    found = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=120
        )
        assert done.returncode == 0, done.stderr
        found.append([int(v) for v in done.stdout.splitlines()[-1].split()])
    assert found[0][0] == 0
    assert found[0][1] > 0
    assert found[1] == [found[0][1], 0]
