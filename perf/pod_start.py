# SPDX-License-Identifier: BSD-3-Clause
"""pod-start: how long `podman run` of `true` takes, and the same container without a VM.

    sluice       podman - sluice-runtime - runc - sluice-vm - UML
    runc         podman - runc

From the exec of podman to its exit: network, control groups, storage and clean-up are podman's and
are in both. What a node's first VM does for all is done before.
"""

import time

from bench import SLUICE, Bench, Group
from oci_kinds import RUNC, UML

N_STARTS = 5


def start(lab, kind):
    """Milliseconds of one, on average."""
    with kind.podman(lab) as engine:
        engine.run(["true"]).check()
        begun = time.monotonic()
        for _ in range(N_STARTS):
            engine.run(["true"]).check()
        return {"pod-start": (time.monotonic() - begun) * 1000 / N_STARTS}


GROUPS = [Group(benches=[Bench("pod-start", "ms", more_is_better=False, bar=None)],
                sides={SLUICE: lambda lab, _: start(lab, UML),
                       "runc": lambda lab, _: start(lab, RUNC)},
                runs=5,
                setup="podman run of `true`, on average of five; sluice-runtime on UML, runc alone")]
