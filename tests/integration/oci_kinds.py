# SPDX-License-Identifier: BSD-3-Clause
"""The ways to run a container that tests of the engines are repeated with.

    @test(each=EACH)
    def podman_run(lab, kind):
        with kind.podman(lab) as engine: ...
"""

import os

from ctr import Containerd
from guest import GUEST_DIR, ROOT
from podman import Podman

VM = "sluice.dev/vm"


class Kind:
    """Which runtime is asked; `vmm`: by annotations, for VMs."""

    def __init__(self, runtime, vmm=None):
        self.runtime, self.vmm = runtime, vmm
        self.annotations = {VM: "true", "sluice.dev/vmm": vmm} if vmm else {}

    def podman(self, lab, **options):
        engine = Podman(lab, self.runtime, self.annotations, **options)
        engine.node.configure(self.settings(lab))
        return engine

    def containerd(self, lab):
        engine = Containerd(lab, self.runtime, self.annotations)
        engine.node.configure(self.settings(lab))
        return engine

    def settings(self, lab):
        """The administrator's: what /etc/sluice/sluice.json says."""
        kernel = "linux.uml" if self.vmm == "uml" else "vmlinuz"
        accel = {"accel": "tcg"} if self.vmm == "qemu" else {}
        binds = {ROOT, lab.build, os.path.realpath(GUEST_DIR)}
        outer = [path for path in binds
                 if not any(path.startswith(other + "/") for other in binds)]
        return {"runtime": {"path": "/usr/sbin/runc", "machine-binds": ",".join(sorted(outer)),
                            "programs": os.path.join(lab.build, "launcher"),
                            "annotations": "vmm,volumes"},
                "kernel": os.path.join(os.path.realpath(GUEST_DIR), kernel), "memory": 256, **accel}

    def pod_annotations(self, name):
        """Of a pod of several containers of which `name` is the one."""
        return {key: name if key == VM else value for key, value in self.annotations.items()}


RUNC = Kind("runc")
PASSED_ON = Kind("sluice-runtime")
UML = Kind("sluice-runtime", "uml")
QEMU = Kind("sluice-runtime", "qemu")

EACH = {"runc": RUNC, "passed-on": PASSED_ON, "uml": UML}
EACH_LIFE = {"runc": RUNC, "qemu": QEMU}
EACH_VM = {"uml": UML}
