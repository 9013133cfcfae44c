# SPDX-License-Identifier: BSD-3-Clause
"""sluice-cni as podman calls it: in a chain behind others, and alone."""

import json
import os
import re

from lab import wait_until
from oci_kinds import RUNC
from podman import GATEWAY
from suite import test

SUITE = "oci"


@test(limit=60)
def podman_cni_chained(lab):
    """What the plugins before it made stays as it is, published ports included."""
    sockets = lab.path("ports")
    with RUNC.podman(lab, plugins=[{"type": "sluice-cni", "socketDir": sockets}]) as engine:
        web = engine.start("echo hello >/page; echo ready; exec httpd -f -p 80 -h /", "-p",
                           "8080:80").wait_for_log("ready")
        assert re.match(r"10\.89\.0\.\d+$", web.address()), web.address()
        shown = web.exec("ip -o -4 addr show dev eth0").check().out.decode()
        assert web.address() in shown, shown
        for address in (web.address(), f"{GATEWAY}:8080"):
            said = engine.node.namespace.run(f"busybox wget -q -O - http://{address}/page")
            assert said == "hello\n", said
        web.call("rm", "-f", "-t", "0")
        assert not os.path.exists(sockets) or not os.listdir(sockets), os.listdir(sockets)


@test(limit=60)
def podman_cni_alone(lab):
    """An address and nothing that has it: what a VM's switch takes over."""
    data = lab.path("addresses")
    plugin = {"type": "sluice-cni", "dataDir": data,
              "ranges": [[{"subnet": "10.90.0.0/29"}], [{"subnet": "fd90::/64"}]]}
    with RUNC.podman(lab, networks={"alone": [plugin]}) as engine:
        seen = set()
        for _ in range(8):  # more than there are addresses: each is given back
            web = engine.start("sleep 1000", "--network=alone")
            networks = json.loads(engine.call("inspect", web.name))[0]["NetworkSettings"]["Networks"]
            address = networks["alone"]["IPAddress"]
            assert address.startswith("10.90.0."), networks
            assert networks["alone"]["GlobalIPv6Address"].startswith("fd90::"), networks
            seen.add(address)
            links = web.exec("ls /sys/class/net").check().out.split()
            assert links == [b"lo"], links
            web.call("rm", "-f", "-t", "0")
        assert len(seen) > 1, seen
        wait_until(lambda: not addresses_of(data), "the addresses to be given back")


def addresses_of(data):
    return [name for _, _, names in os.walk(data) for name in names if re.search(r"\d\.\d|::", name)]
