# SPDX-License-Identifier: BSD-3-Clause
"""pod-start: how long `podman run` of `true` takes, and the same container without a VM.

    sluice       podman - sluice-runtime - runc - sluice-vm - UML
    runc         podman - runc

From the exec of podman to its exit: network, control groups, storage and clean-up are podman's and
are in both. What a node's first VM does for all is done before. A run is the median of five, so that
one that something came between does not count; the result is the median of the runs.
"""

import statistics
import time

from bench import SLUICE, Bench, Group
from oci_kinds import RUNC, UML

N_STARTS = 5


def time_one(engine):
    begun = time.monotonic()
    engine.run(["true"]).check()
    return (time.monotonic() - begun) * 1000


def start(lab, kind):
    """Milliseconds."""
    with kind.podman(lab) as engine:
        engine.run(["true"]).check()
        return {"pod-start": statistics.median(time_one(engine) for _ in range(N_STARTS))}


GROUPS = [Group(benches=[Bench("pod-start", "ms", more_is_better=False, bar=None)],
                sides={SLUICE: lambda lab, _: start(lab, UML),
                       "runc": lambda lab, _: start(lab, RUNC)},
                runs=5,
                setup="podman run of `true`, median of five; sluice-runtime on UML, runc alone")]
