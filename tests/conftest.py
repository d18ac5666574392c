"""Tests run with x64 off, so that a float32 leak shows; CI fails if a test on a real table was
skipped.
"""

import os
from pathlib import Path

# Workers, and the processes that tests start, share compiled programs.
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parent.parent / ".pytest_cache" / "jax")
)
# small programs too: there are many of them
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")

import pytest

DATA = os.environ.get("JAXSCALE_DATA_DIR")


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("real"):
            item.user_properties.append(("real", True))
            if DATA:
                continue
            item.add_marker(
                pytest.mark.skip(reason="JAXSCALE_DATA_DIR is not set: no real tables here")
            )


_skipped: list[str] = []


def pytest_runtest_logreport(report):
    if report.skipped and ("real", True) in [tuple(p) for p in report.user_properties]:
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session, exitstatus):
    if os.environ.get("CI") and _skipped and exitstatus == 0:
        session.exitstatus = 1


def pytest_terminal_summary(terminalreporter):
    if os.environ.get("CI") and _skipped:
        terminalreporter.write_line(
            f"FAILED: in CI {len(_skipped)} tests on real tables were skipped", red=True
        )


@pytest.fixture(scope="session")
def hoffmann():
    """The certified fit of the 240 rows, shared by the tests that need one."""
    import jaxscale as jsl

    return jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("hoffmann2022"))


@pytest.fixture(scope="session")
def simulated():
    """The certified fit of the embedded sweep."""
    import jaxscale as jsl

    return jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"))
