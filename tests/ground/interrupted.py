"""A fit that compiles for some seconds, for a test that interrupts it: `python interrupted.py
[uncaught|caught|usable]`.
"""

import signal
import sys
import threading
import time

from jax import monitoring

import jaxscale as jsl
from jaxscale import positive


@jsl.law
def long(
    N: jsl.units.Params,
    D: jsl.units.Tokens,
    *,
    E=positive(0.5, 3),
    a=positive(1, 1e5),
    b=positive(1, 1e5),
    c=positive(1, 1e5),
    r=positive(0.05, 1.5),
    s=positive(0.05, 1.5),
    t=positive(0.05, 1.5),
    u=positive(0.05, 1.5),
) -> jsl.units.Nats:
    first = a * N**-r + b * D**-s + c * N**-t * D**-u
    return E + first ** (s + t) + b * (N * D) ** -u


def told(event, seconds, **names):
    """Just before XLA compiles the law's sums, and just after."""
    if "summed" in names.get("fun_name", ""):
        if event.endswith("jaxpr_to_mlir_module_duration"):
            print("compiling", flush=True)
        if event.endswith("backend_compile_duration"):
            print("compiled", flush=True)


def main(then):
    # a shell may have started this in the background, without Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)
    monitoring.register_event_duration_secs_listener(told)
    runs = jsl.datasets.load("simulated")
    assert threading.current_thread() is threading.main_thread()
    try:
        jsl.fit(long, runs, starts=8)
    except KeyboardInterrupt:
        print("ended", flush=True)
        if then == "uncaught":
            raise
    if then == "usable":
        print(
            round(float(jsl.allocate(jsl.laws.chinchilla.published["hoffmann2022"], 1e24).loss), 3),
            flush=True,
        )
        begin = time.monotonic()
        fit = jsl.fit(long, runs, starts=8)  # waits for the program that is being compiled
        print(f"fitted {int(fit.work.lanes)} in {time.monotonic() - begin:.1f} s", flush=True)
    print("end", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
