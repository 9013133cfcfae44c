# SPDX-License-Identifier: BSD-3-Clause
"""The demo's last scene: a pod that podman makes of a manifest, with an annotation for a VM."""

import os

from demo_stage import check, run_in, show, step, typed
from oci_kinds import UML
from podman import pod

PAGE = "mkdir -p /www; uname -r >/www/kernel; echo serving; exec httpd -f -p 80 -h /www"
SIDECAR = "until wget -q -O - http://127.0.0.1/kernel; do sleep 0.2; done; exec sleep 1000"
RUNTIME = "podman --runtime sluice-runtime"


def container_demo(lab):
    manifest = pod("web", [{"name": "web", "command": PAGE}, {"name": "side", "command": SIDECAR}],
                   annotations=UML.pod_annotations("web"))
    with UML.podman(lab) as engine:
        step("a pod of two containers, of which an annotation makes one a VM")
        typed("node", "cat web.yaml")
        show(as_yaml(manifest))
        typed("node", f"{RUNTIME} kube play web.yaml")
        engine.kube_play(manifest).check()
        web, side = engine.container("web-web"), engine.container("web-side")
        web.wait_for_log("serving")
        typed("node", "podman ps")
        show(engine.call("ps", "--format", "table {{.Names}} {{.Status}} {{.Command}}"))
        look_around(engine, web, side)
        step("podman kube down")
        typed("node", f"{RUNTIME} kube down web.yaml")
        show(engine.kube_down(manifest).check().out.decode())
    show("no container, process, mount, network, table or file is left")


def look_around(engine, web, side):
    """In the VM, from its sidecar, from the node: each by the pod's one address."""
    step("exec and logs are those of a container; the kernel is the guest's own")
    typed("node", "podman exec web-web uname -r; podman exec web-side uname -r")
    kernels = [at.exec("uname -r").check().out.decode().strip() for at in (web, side)]
    show("\n".join(kernels))
    check("that each has a kernel of its own", kernels[0] != kernels[1], True)
    check("the sidecar's kernel", kernels[1], os.uname().release)
    typed("node", "podman logs web-side    # what it got from http://127.0.0.1/kernel")
    side.wait_for_log(kernels[0])
    show(side.logs()[0])
    typed("node", "podman exec web-web ip -4 -o addr show eth0; the same in web-side")
    addresses = [at.exec("ip -4 -o addr show eth0").check().out.decode().split()[3]
                 for at in (web, side)]
    show("\n".join(addresses))
    check("that they share the pod's address", addresses[0], addresses[1])
    address = addresses[0].partition("/")[0]
    said = run_in(engine.node.namespace, "node", f"busybox wget -q -O - http://{address}/kernel")
    check("what the node gets", said.strip(), kernels[0])


def as_yaml(manifest):
    """As one would write it, for the eye."""
    lines = ["apiVersion: v1", "kind: Pod", "metadata:", f"  name: {manifest['metadata']['name']}",
             "  annotations:"]
    lines += [f'    {key}: "{value}"' for key, value in manifest["metadata"]["annotations"].items()]
    lines += ["spec:", "  containers:"]
    for container in manifest["spec"]["containers"]:
        lines += [f"  - name: {container['name']}", f"    image: {container['image']}",
                  f"    command: [sh, -c, {container['command'][-1]!r}]"]
    return "\n".join(lines)
