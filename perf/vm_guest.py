# SPDX-License-Identifier: BSD-3-Clause
"""What benches of `sluice-vm run` share: a VM in a pod of a Calico-like network, that runs."""

import contextlib
import subprocess

from cni import Calico
from guest import die_with_parent
from vm import Vm


def make_vm(lab, vmm="uml", **settings):
    """A VM whose initramfs is in the cache, where that of every VM but a node's first one is."""
    vm = Vm(Calico(lab), vmm=vmm, **settings)
    words = [vm.program, "image", "build", f"--kernel={vm.settings['kernel']}",
             f"--cache-dir={vm.settings['cache-dir']}"]
    subprocess.run(words + ["--uml"] * (vmm == "uml"), stdout=subprocess.DEVNULL, check=True,
                   preexec_fn=die_with_parent)
    return vm


@contextlib.contextmanager
def log_of(vm):
    """An error that leaves this has what the VM's programs have logged with it."""
    try:
        yield
    except Exception as error:
        with contextlib.suppress(OSError):
            error.add_note("--- log of the VM\n" + "".join(vm.log().splitlines(True)[-60:]))
        raise


@contextlib.contextmanager
def running(lab, *options):
    """A VM that does nothing of its own."""
    vm = make_vm(lab)
    with log_of(vm):
        job = vm.start("echo ready; exec sleep 100000", *options)
        try:
            job.wait_for("ready\n")
            yield vm
        finally:
            job.process.kill()
            job.wait()
            vm.assert_gone()
