# SPDX-License-Identifier: BSD-3-Clause
"""boot-uml, boot-qemu: how long a container waits for its VM.

From the exec of `sluice-vm run`, in a pod that is ready, to the first byte of what the workload
prints. The VM's initramfs is in the cache. The remarks say where the time goes: the launcher's own
steps, as it logs them, and "output", which is what is left: from the process's start to the first
step, and from the workload's start to its byte.
"""

import re
import subprocess
import time

from bench import SLUICE, Bench, Group, Void
from guest import die_with_parent
from lab import kill_group
from vm_guest import log_of, make_vm

STEP = re.compile(r"\bmsg=step name=(\w+) us=(\d+)")
WORKLOAD = ["/bin/echo", "up"]


def prepared(vm):
    """In the pod, and before everything that is not to be timed; goes on when it is told to."""
    script = (f'mount --bind {vm.net.resolv_conf} /etc/resolv.conf; echo >&2; read -r go; '
              'exec "$@" 2>/dev/null')
    argv = ["ip", "netns", "exec", vm.net.pod.name, "unshare", "-m", "sh", "-c", script, "-",
            *vm.words(), "--", *WORKLOAD]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, process_group=0, bufsize=0,
                               preexec_fn=die_with_parent)
    process.stderr.read(1)
    return process


def first_byte(process):
    """Milliseconds until it has come; what comes behind it, and the exit status, must be right."""
    started = time.monotonic()
    process.stdin.write(b"go\n")
    first = process.stdout.read(1)
    taken = (time.monotonic() - started) * 1000
    process.stdin.close()
    if first + process.stdout.read() != b"up\n" or process.wait() != 0:
        raise Void(f"the workload did not end well: {process.returncode}")
    return taken


def steps(vm):
    found = {}
    for name, us in STEP.findall(vm.log()):
        found[name] = found.get(name, 0) + int(us) / 1000
    if "agent" not in found:
        raise Void("no step is in the log")
    return found


def boot(lab, vmm):
    vm = make_vm(lab, vmm)
    with log_of(vm):
        process = prepared(vm)
        try:
            taken = first_byte(process)
        finally:
            kill_group(process)
            process.stdout.close()
            process.stderr.close()
        vm.assert_gone()
        parts = steps(vm)
    parts["output"] = taken - sum(parts.values())
    name = f"boot-{vmm}"
    return {name: taken, **{f"{name}, {part}": ms for part, ms in parts.items()}}


def group(vmm, words):
    return Group(
        benches=[Bench(f"boot-{vmm}", "ms", more_is_better=False, bar=None)],
        sides={SLUICE: lambda lab, _: boot(lab, vmm)},
        runs=7,
        setup=f"from exec of sluice-vm run to the workload's first byte; {words}")


GROUPS = [group("uml", "UML"), group("qemu", "QEMU without KVM")]
