# SPDX-License-Identifier: BSD-3-Clause
"""sluice-cni, called by hand: every verb, every error, every version, and many calls at once."""

import contextlib
import copy
import fcntl
import ipaddress
import json
import os
import random
import signal
import time

from cni_plugin import STOCK_DIR, VERSIONS, Chain, Failed, Plugin
from lab import wait_until
from suite import test

SUITE = "oci"

EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../config/cni")

# What the plugin bridge answers, and some that no plugin does today.
BRIDGE = {
    "interfaces": [
        {"name": "cni0", "mac": "76:0f:4c:4b:5d:a1"},
        {"name": "veth0a1b", "mac": "0e:f0:1e:f3:a8:3f", "vendor": {"x": [1, None, 2.5]}},
        {"name": "eth0", "mac": "ce:60:4c:b9:3a:06", "sandbox": "/run/netns/pod"}],
    "ips": [{"version": "4", "interface": 2, "address": "10.88.0.5/16", "gateway": "10.88.0.1",
             "lifetime": 3600},
            {"version": "6", "interface": 2, "address": "fd88::5/64", "gateway": "fd88::1"}],
    "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0", "gw": "fd88::1", "priority": 100}],
    "dns": {"nameservers": ["10.0.0.10"], "search": ["a.test"], "options": ["ndots:5"]},
    "vendor/more": {"äöü": "\u2028"}, "flag": True}


def plugin_of(lab):
    return Plugin(os.path.join(lab.build, "launcher/cni/sluice-cni"))


def chained(version, **more):
    return {"cniVersion": version, "name": "net", "type": "sluice-cni",
            "prevResult": {"cniVersion": version, **copy.deepcopy(BRIDGE)}, **more}


def alone(lab, version="1.1.0", **more):
    """A configuration that gives out 10.1.0.2 to 10.1.0.6, if not said otherwise."""
    ranges = {} if "ranges" in more else {"subnet": "10.1.0.0/29"}
    return {"cniVersion": version, "name": "net", "type": "sluice-cni",
            "dataDir": lab.path("data"), **ranges, **more}


def files(lab, name="net"):
    """{address: its file's lines}"""
    found = {}
    with contextlib.suppress(FileNotFoundError):
        for entry in os.scandir(os.path.join(lab.path("data"), name)):
            if entry.name.startswith("last."):
                continue
            with open(entry.path, encoding="ascii") as file:
                found[entry.name] = file.read().split("\n")[:-1]
    return found


def addresses(result):
    return [str(ipaddress.ip_interface(ip["address"]).ip) for ip in result["ips"]]


def valid(*attachments):
    return {"cni.dev/valid-attachments": [{"containerID": container, "ifname": ifname}
                                          for container, ifname in attachments]}


@test()
def cni_version(lab):
    """Asked with an environment that means nothing, and in whatever version."""
    plugin = plugin_of(lab)
    env = {"container": "", "ifname": "dummy", "netns": "dummy"}
    for version in (*VERSIONS, "0.1.0", "7.0.0"):
        answer = plugin.call("VERSION", {"cniVersion": version}, **env)
        assert answer == {"cniVersion": version, "supportedVersions": list(VERSIONS)}, answer
    assert plugin.call("VERSION", b"", container=None, ifname=None, netns=None) == {
        "cniVersion": "1.1.0", "supportedVersions": list(VERSIONS)}
    plugin.fails("VERSION", b"{", 6, "line 1", **env)


@test(each={version: version for version in VERSIONS})
def cni_chained(lab, version):
    """What the plugin before it answered is passed on as it came."""
    plugin = plugin_of(lab)
    config = chained(version)
    assert plugin.call("ADD", config) == config["prevResult"]
    unversioned = chained(version)
    del unversioned["prevResult"]["cniVersion"]
    assert plugin.call("ADD", unversioned) == config["prevResult"]
    assert plugin.call("DEL", config) is None
    del config["prevResult"]
    assert plugin.call("DEL", config, netns=None) is None
    if version == "0.3.1":
        plugin.fails("CHECK", chained(version), 1, "CHECK", "0.4.0")
    else:
        assert plugin.call("CHECK", chained(version)) is None
    for verb in ("STATUS", "GC"):
        config = chained(version, **valid())
        if version == "1.1.0":
            assert plugin.call(verb, config, container=None, ifname=None, netns=None) is None
        else:
            plugin.fails(verb, config, 1, verb, "1.1.0")
    assert not os.path.exists(lab.path("data"))


@test()
def cni_socket_path(lab):
    """The socket is said in the one version that has a place for it, of the one interface."""
    plugin = plugin_of(lab)
    for version in VERSIONS:
        config = chained(version, socketDir="/run/ports")
        want = copy.deepcopy(config["prevResult"])
        if version == "1.1.0":
            want["interfaces"][2]["socketPath"] = "/run/ports/c1-eth0.sock"
        assert plugin.call("ADD", config) == want
    config["prevResult"] = want
    assert plugin.call("CHECK", config) is None
    want["interfaces"][2]["socketPath"] = "/run/ports/c2-eth0.sock"
    plugin.fails("CHECK", config, 101, "socketPath")
    plugin.fails("ADD", config, 7, "prevResult.interfaces", "eth1", ifname="eth1")
    plugin.fails("ADD", config, 7, "socketDir", container="c" * 100)
    result = plugin.call("ADD", alone(lab, socketDir="/run/ports"))
    assert result["interfaces"][0]["socketPath"] == "/run/ports/c1-eth0.sock", result


@test(each={version: version for version in VERSIONS})
def cni_alone(lab, version):
    """Addresses of both families for an interface that is nowhere."""
    plugin = plugin_of(lab)
    dns = {"nameservers": ["10.1.0.1"], "domain": "a.test"}
    config = alone(lab, version, dns=dns, ranges=[[{"subnet": "10.1.0.0/24"}],
                                                  [{"subnet": "fd01::/64", "gateway": "fd01::9"}]])
    result = plugin.call("ADD", config)
    mac = result["interfaces"][0]["mac"]
    assert int(mac[:2], 16) & 3 == 2 and len(mac) == 17, mac
    families = [{"version": "4"}, {"version": "6"}] if version < "1" else [{}, {}]
    assert result == {
        "cniVersion": version,
        "interfaces": [{"name": "eth0", "mac": mac, "sandbox": "/run/netns/pod"}],
        "ips": [{**families[0], "address": "10.1.0.2/24", "gateway": "10.1.0.1", "interface": 0},
                {**families[1], "address": "fd01::1/64", "gateway": "fd01::9", "interface": 0}],
        "dns": dns}, result
    assert files(lab) == {"10.1.0.2": ["c1", "eth0"], "fd01::1": ["c1", "eth0"]}
    config["prevResult"] = result
    if version != "0.3.1":
        assert plugin.call("CHECK", config) is None
    assert plugin.call("DEL", config, netns=None) is None
    assert not files(lab)
    assert plugin.call("DEL", config) is None


@test()
def cni_changes_no_network(lab):
    """Neither the node's nor the pod's."""
    node, pod = lab.namespace("node"), lab.namespace("pod")
    plugin = Plugin(plugin_of(lab).argv[0], "node")

    def shown():
        return [ns.run(f"ip -json {what}") for ns in (node, pod)
                for what in ("link", "addr", "route show table all", "neigh", "rule")]
    before = shown()
    config = alone(lab)
    config["prevResult"] = plugin.call("ADD", config)
    plugin.call("CHECK", config)
    assert shown() == before
    plugin.call("DEL", config)
    assert shown() == before


@test()
def cni_environment(lab):
    """Each variable that is missing or wrong is named; nothing is made of it."""
    plugin = plugin_of(lab)
    config = alone(lab, **valid())
    plugin.fails(None, config, 4, "CNI_COMMAND", "missing")
    for command in ("", "add", "FLY", "ADD\n", "\u00ff"):
        plugin.fails(command, config, 4, "CNI_COMMAND")
    for command in ("ADD", "DEL", "CHECK"):
        for container in (None, "", "..", ".", "-c", "../../x", "a/b", "a b", "a\nb", "c" * 201):
            plugin.fails(command, config, 4, "CNI_CONTAINERID", container=container)
        for ifname in (None, "", ".", "..", "a/b", "a:b", "a b", "a\nb", "0123456789abcdef"):
            plugin.fails(command, config, 4, "CNI_IFNAME", ifname=ifname)
    for netns in (None, ""):
        plugin.fails("ADD", config, 4, "CNI_NETNS", netns=netns)
        plugin.fails("CHECK", config, 4, "CNI_NETNS", netns=netns)
    assert sorted(os.listdir(lab.workdir)) == [], os.listdir(lab.workdir)
    for odd in ("c" * 200, "0", "a.b-c_d", "A.."):
        plugin.call("DEL", {**config, "prevResult": plugin.call("ADD", config, container=odd)},
                    container=odd)


@test()
def cni_bad_configurations(lab):
    """What is no configuration, what is a wrong one, and what asks for something else."""
    plugin = plugin_of(lab)
    for text in (b"", b"{", b"[]", b"1", b"null", b"{}{}", b'{"a": 1, "a": 2}', b"\xff",
                 b'{"cniVersion": 7}', b'{"cniVersion": "1.0.0", "x": 18446744073709551615}'):
        plugin.fails("ADD", text, 6)
    for version in ("0.1.0", "0.2.0", "0.3.0", "1.2.0", "1.0", ""):
        error = plugin.fails("ADD", {"cniVersion": version, "name": "net"}, 1, "cniVersion")
        assert error.version == "1.1.0", error
    plugin.fails("ADD", {"name": "net"}, 1, "cniVersion")
    for name in (None, 1, "", "..", "../x", "a/b", "-a", "n" * 201):
        for command in ("ADD", "DEL", "CHECK", "STATUS", "GC"):
            plugin.fails(command, {**alone(lab, **valid()), "name": name}, 7, "name")
    plugin.fails("ADD", {"cniVersion": "1.0.0", "name": "net"}, 7, "prevResult", "subnet")
    plugin.fails("CHECK", {"cniVersion": "1.0.0", "name": "net"}, 7, "prevResult")
    plugin.fails("CHECK", alone(lab), 7, "prevResult")
    plugin.fails("ADD", alone(lab, prevResult=BRIDGE), 7, "subnet", "behind another plugin")
    plugin.fails("ADD", alone(lab, dataDir="var/lib"), 7, "dataDir")
    plugin.fails("ADD", alone(lab, subnet="10.1.0.3/29"), 7, "subnet", "10.1.0.0/29")
    plugin.fails("ADD", alone(lab, ranges=[{"subnet": "10.1.0.0/29"}]), 7, "ranges[0]")
    plugin.fails("ADD", alone(lab, dns={"search": "x"}), 7, "dns.search")
    for key, value in (("ipMasq", True), ("bridge", "cni0"), ("ipam", {"type": "dhcp"}),
                       ("routes", [{"dst": "0.0.0.0/0"}])):
        for command in ("ADD", "CHECK", "STATUS"):
            plugin.fails(command, alone(lab, prevResult=BRIDGE, **{key: value}), 2, key,
                         json.dumps(value, separators=(",", ":")))
    assert not os.path.exists(lab.path("data"))


@test()
def cni_bad_results(lab):
    """A result that is none is not passed on; DEL does not mind."""
    plugin = plugin_of(lab)

    def fails(code, *words, **parts):
        config = chained("1.0.0")
        config["prevResult"].update(parts)
        for command in ("ADD", "CHECK"):
            plugin.fails(command, config, code, *words)
        assert plugin.call("DEL", config) is None
    fails(1, "1.1.0", cniVersion="1.1.0")
    fails(7, "prevResult.interfaces", interfaces={})
    fails(7, "prevResult.interfaces[1].name", interfaces=[{"name": "a"}, {"mac": "x"}])
    fails(7, "prevResult.ips[0].address", ips=[{"address": "10.88.0.5"}])
    fails(7, "prevResult.ips[0].interface", ips=[{"address": "10.88.0.5/16", "interface": 3}])
    fails(7, "prevResult.routes[0].dst", routes=[{"dst": "default"}])
    fails(7, "prevResult.dns", dns="10.0.0.10")
    config = chained("0.4.0")
    del config["prevResult"]["ips"][0]["version"]
    plugin.fails("ADD", config, 7, "prevResult.ips[0].version")
    plugin.fails("ADD", {**config, "prevResult": 1}, 7, "prevResult")
    assert plugin.call("DEL", {**config, "prevResult": 1}) is None


@test()
def cni_input_and_output(lab):
    """What cannot be read or written is said, and told by the exit status."""
    plugin = plugin_of(lab)
    plugin.fails("ADD", b" " * (16 * 1024 * 1024 + 1), 5, "configuration")
    with open(lab.path("data"), "wb"):
        plugin.fails("ADD", alone(lab), 5, "data")
        plugin.fails("CHECK", {**alone(lab), "prevResult": BRIDGE}, 5, "data")
        plugin.fails("DEL", alone(lab), 5, "data")
        plugin.fails("GC", alone(lab, **valid()), 5, "data")
        plugin.fails("STATUS", alone(lab), 50, "data")
    os.unlink(lab.path("data"))
    os.symlink(lab.path("none"), lab.path("data"))
    plugin.fails("STATUS", alone(lab), 50, "data", "No such file")
    os.unlink(lab.path("data"))
    status, _ = lab.namespace("node").try_run(
        f"echo '{{}}' | CNI_COMMAND=VERSION {plugin.argv[0]} >/dev/full")
    assert status == 1, status


@test()
def cni_added_once(lab):
    """A second ADD for an interface is an error, that leaves the first as it was."""
    plugin = plugin_of(lab)
    config = alone(lab)
    assert addresses(plugin.call("ADD", config)) == ["10.1.0.2"]
    plugin.fails("ADD", config, 100, "c1", "eth0", "10.1.0.2", "already")
    assert addresses(plugin.call("ADD", config, ifname="eth1")) == ["10.1.0.3"]
    assert addresses(plugin.call("ADD", {**config, "name": "other"})) == ["10.1.0.2"]
    assert files(lab) == {"10.1.0.2": ["c1", "eth0"], "10.1.0.3": ["c1", "eth1"]}
    plugin.call("DEL", config)
    assert files(lab) == {"10.1.0.3": ["c1", "eth1"]}
    # What was given back comes last.
    assert addresses(plugin.call("ADD", config)) == ["10.1.0.4"]


@test()
def cni_goes_round(lab):
    """An address that was given back is the last to be given again, even after a call that failed."""
    plugin = plugin_of(lab)
    config = alone(lab, ranges=[[{"subnet": "10.1.0.0/29"}], [{"subnet": "fd01::/126"}]])
    given = []
    for _ in range(11):
        given.append(addresses(plugin.call("ADD", config)))
        plugin.fails("ADD", config, 100)
        plugin.call("DEL", config)
    assert [v4 for v4, _ in given] == [f"10.1.0.{2 + i % 5}" for i in range(11)], given
    assert [v6 for _, v6 in given] == [f"fd01::{2 + i % 2}" for i in range(11)], given


@test()
def cni_full(lab):
    """When no address is left, ADD says so, STATUS foresees it, and DEL helps."""
    plugin = plugin_of(lab)
    config = alone(lab)
    assert plugin.call("STATUS", config) is None
    assert not os.path.exists(lab.path("data"))  # it only asks
    for i in range(5):
        assert plugin.call("STATUS", config) is None
        plugin.call("ADD", config, container=f"c{i}")
    assert sorted(files(lab)) == [f"10.1.0.{i}" for i in range(2, 7)]
    plugin.fails("ADD", config, 11, "net", "taken", container="c5")
    plugin.fails("STATUS", config, 50, "net", "taken")
    plugin.call("DEL", config, container="c3")
    assert plugin.call("STATUS", config) is None
    assert addresses(plugin.call("ADD", config, container="c5")) == ["10.1.0.5"]
    # Of two sets one is full: nothing of the other is taken.
    both = {**config, "ranges": [[{"subnet": "fd01::/64"}]]}
    plugin.fails("ADD", both, 11, container="c6")
    reverse = {**config, "ranges": [[{"subnet": "fd01::/64"}], [{"subnet": "10.1.0.0/29"}]]}
    del reverse["subnet"]
    plugin.fails("ADD", reverse, 11, container="c6")
    assert len(files(lab)) == 5


@test()
def cni_check_finds(lab):
    """What is not as ADD left it."""
    plugin = plugin_of(lab)
    config = alone(lab, ranges=[[{"subnet": "10.1.0.0/29"}], [{"subnet": "fd01::/64"}]])
    plugin.fails("CHECK", {**config, "prevResult": BRIDGE}, 3, "c1")
    result = plugin.call("ADD", config)
    config["prevResult"] = result
    plugin.call("CHECK", config)
    plugin.fails("CHECK", config, 3, "c2", container="c2")
    plugin.fails("CHECK", config, 3, "eth1", ifname="eth1")
    # A later plugin may have added something of its own, but not taken away.
    more = copy.deepcopy(result)
    more["interfaces"].append({"name": "tap0"})
    more["routes"] = [{"dst": "10.0.0.0/8"}]
    plugin.call("CHECK", {**config, "prevResult": more})
    for key, value in (("ips", result["ips"][:1]), ("interfaces", [])):
        changed = {**copy.deepcopy(result), key: value}
        if key == "interfaces":
            changed["ips"] = [{"address": ip["address"]} for ip in result["ips"]]
        plugin.fails("CHECK", {**config, "prevResult": changed}, 101, f"prevResult.{key}")
    changed = copy.deepcopy(result)
    changed["interfaces"][0]["mac"] = "02:00:00:00:00:01"
    plugin.fails("CHECK", {**config, "prevResult": changed}, 101, "prevResult.interfaces")
    os.unlink(os.path.join(lab.path("data"), "net", "fd01::2"))
    plugin.fails("CHECK", config, 101, "set 1")
    plugin.call("DEL", config)
    plugin.fails("CHECK", config, 3)


@test()
def cni_gc(lab):
    """What the runtime does not know of is free again, and nothing else."""
    plugin = plugin_of(lab)
    config = alone(lab)
    env = {"container": None, "ifname": None, "netns": None}
    assert plugin.call("GC", {**config, **valid()}, **env) is None
    for container, ifname in (("c1", "eth0"), ("c1", "eth1"), ("c2", "eth0"), ("c3", "eth0")):
        plugin.call("ADD", config, container=container, ifname=ifname)
    plugin.call("ADD", {**config, "name": "other"})
    assert plugin.call("GC", {**config, **valid(("c1", "eth1"), ("c3", "eth0"), ("x", "y"))},
                       **env) is None
    assert files(lab) == {"10.1.0.3": ["c1", "eth1"], "10.1.0.5": ["c3", "eth0"]}
    # What is no list frees nobody.
    for attachments in ({}, {"cni.dev/valid-attachments": {}},
                        {"cni.dev/valid-attachments": [{"containerID": "c1"}]},
                        {"cni.dev/valid-attachments": ["c1"]}):
        plugin.fails("GC", {**config, **attachments}, 7, "cni.dev/valid-attachments", **env)
    assert len(files(lab)) == 2
    assert plugin.call("GC", {**config, "cni.dev/valid-attachments": None}, **env) is None
    assert not files(lab)
    assert files(lab, "other") == {"10.1.0.2": ["c1", "eth0"]}


@test()
def cni_configuration_that_changed(lab):
    """What was given with another configuration is taken back with one that is wrong by now."""
    plugin = plugin_of(lab)
    plugin.call("ADD", alone(lab))
    plugin.call("ADD", alone(lab), container="c2")
    broken = alone(lab, subnet="nonsense", bridge="cni0", socketDir=1, prevResult=[])
    plugin.fails("ADD", broken, 2)
    assert plugin.call("DEL", broken) is None
    assert files(lab) == {"10.1.0.3": ["c2", "eth0"]}
    assert plugin.call("GC", {**broken, **valid()}) is None
    assert not files(lab)


def call_all(plugin, command, config, n):
    started = [plugin.start(command, config, container=f"c{i}") for i in range(n)]
    for process, text in started:
        process.stdin.write(text)
        process.stdin.flush()
    return [plugin.answer(process, b"") for process, _ in started]


@test()
def cni_fifty_at_once(lab):
    """Each gets addresses of its own; then all go at once."""
    plugin = plugin_of(lab)
    config = alone(lab, ranges=[[{"subnet": "10.1.0.0/26"}], [{"subnet": "fd01::/64"}]])
    for _ in range(20 if lab.soak else 2):
        given = [address for result in call_all(plugin, "ADD", config, 50)
                 for address in addresses(result)]
        assert len(given) == len(set(given)) == 100, sorted(given)
        assert set(files(lab)) == set(given)
        call_all(plugin, "DEL", config, 50)
        assert not files(lab)


@test()
def cni_waits_for_its_turn(lab):
    """Whoever has the directory locked is waited for; one killed while it waits leaves nothing."""
    plugin = plugin_of(lab)
    config = alone(lab)
    plugin.call("DEL", {**config, "prevResult": plugin.call("ADD", config)})
    directory = os.open(os.path.join(lab.path("data"), "net"), os.O_RDONLY | os.O_DIRECTORY)

    def waiting(process):
        with open("/proc/locks", encoding="ascii") as locks:
            return any("->" in line and f" {process.pid} " in line for line in locks)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        started = [plugin.start("ADD", config, container=f"c{i}") for i in range(2)]
        for process, text in started:
            process.stdin.write(text)
            process.stdin.close()
            process.stdin = None
            wait_until(lambda process=process: waiting(process), "ADD to wait")
        started[0][0].kill()
        started[0][0].wait()
        fcntl.flock(directory, fcntl.LOCK_UN)
        assert addresses(plugin.answer(started[1][0], None)) == ["10.1.0.3"]
        assert files(lab) == {"10.1.0.3": ["c1", "eth0"]}
    finally:
        os.close(directory)


@test(limit=120)
def cni_killed(lab):
    """Killed at any moment: no address is lost, none is given twice, and GC leaves nothing."""
    plugin = plugin_of(lab)
    config = alone(lab, ranges=[[{"subnet": "10.1.0.0/28"}], [{"subnet": "fd01::/124"}]])
    chance = random.Random(7)
    n_killed = n_rounds = 0
    while n_rounds < (2000 if lab.soak else 200) or n_killed <= 20:
        # It may end before it is killed, but not always.
        assert n_rounds < 5000, n_killed
        n_rounds += 1
        process, text = plugin.start(chance.choice(["ADD", "ADD", "DEL"]), config,
                                     container=f"c{chance.randrange(9)}")
        process.stdin.write(text)
        process.stdin.close()
        process.stdin = None
        deadline = time.monotonic() + chance.uniform(0, 0.004)
        while time.monotonic() < deadline:
            pass
        process.send_signal(signal.SIGKILL)
        with contextlib.suppress(Failed):
            n_killed += process.wait() == -signal.SIGKILL
        process.stdout.close()
        process.stderr.close()
        if n_rounds % 50 == 0:
            plugin.call("GC", {**config, **valid()})
            assert not files(lab)
    # Half-written ones are nobody's; what was written whole is its container's.
    directory = os.path.join(lab.path("data"), "net")
    plugin.call("GC", {**config, **valid()})
    for i, text in enumerate(("", "c0", "c0\n", "c0\neth0")):
        with open(os.path.join(directory, f"10.1.0.{2 + i}"), "w", encoding="ascii") as file:
            file.write(text)
    given = [addresses(plugin.call("ADD", config, container=f"d{i}")) for i in range(13)]
    assert {v4 for v4, _ in given} == {f"10.1.0.{i}" for i in range(2, 15)}, given
    plugin.fails("ADD", config, 11, container="d13")
    plugin.call("GC", {**config, **valid()})
    assert not files(lab)


@test()
def cni_behind_stock_plugins(lab):
    """With the plugins ptp and bridge themselves, in a real network namespace."""
    node, pod = lab.namespace("node"), lab.namespace("pod")

    def find(kind):
        if kind == "sluice-cni":
            return plugin_of(lab)
        return Plugin(os.path.join(STOCK_DIR, kind), "node")
    ipam = {"type": "host-local", "dataDir": lab.path("host-local"),
            "ranges": [[{"subnet": "10.2.0.0/24"}], [{"subnet": "fd02::/64"}]],
            "routes": [{"dst": "0.0.0.0/0"}]}
    for first in ({"type": "ptp", "ipam": ipam},
                  {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipam": ipam}):
        for version in ("0.3.1", "0.4.0", "1.0.0"):
            chain = Chain([first, {"type": "sluice-cni", "socketDir": "/run/ports"}], find,
                          version=version)
            single = Chain([first], find, version=version)
            single.add()
            single.delete()
            result = chain.add()
            assert result.keys() == single.result.keys(), (result, single.result)
            shown = json.loads(pod.run("ip -json addr show dev eth0"))[0]
            eth0 = next(i for i in result["interfaces"] if i.get("sandbox"))
            assert eth0["mac"] == shown["address"], (eth0, shown)
            local = {a["local"] for a in shown["addr_info"]}
            assert set(addresses(result)) <= local and len(result["ips"]) == 2, (result, local)
            if version != "0.3.1":
                chain.check()
            chain.delete()
            assert "eth0" not in pod.run("ip link")
    assert "cni0" in node.run("ip link")


@test()
def cni_examples(lab):
    """The lists in config/cni, as a runtime reads them."""
    lists = {}
    for name in sorted(os.listdir(EXAMPLES)):
        with open(os.path.join(EXAMPLES, name), encoding="utf-8") as file:
            lists[name] = json.load(file)
    assert sorted(lists) == ["10-sluice.conflist", "20-sluice-none.conflist"]
    # podman on Debian 12 takes no later version.
    assert all(conflist["cniVersion"] == "1.0.0" for conflist in lists.values())
    assert len({conflist["name"] for conflist in lists.values()}) == 2
    node, pod = lab.namespace("node"), lab.namespace("pod")
    behind = lists["10-sluice.conflist"]["plugins"]
    behind[0]["ipam"]["dataDir"] = lab.path("host-local")
    behind[0]["ipMasq"] = False  # ptp does it with iptables, which need not be here
    chain = Chain(behind, lambda kind: plugin_of(lab) if kind == "sluice-cni" else
                  Plugin(os.path.join(STOCK_DIR, kind), "node"), name="sluice")
    result = chain.add()
    assert all(address in pod.run("ip addr") for address in addresses(result))
    assert not any("socketPath" in interface for interface in result["interfaces"])
    chain.check()
    chain.delete()
    # A runtime of 1.1 takes the latest that it knows, of plugins that do, too: so it has the socket.
    assert lists["10-sluice.conflist"]["cniVersions"] == ["1.0.0", "1.1.0"]
    later = plugin_of(lab).call("ADD", {**behind[1], "cniVersion": "1.1.0", "name": "sluice",
                                        "prevResult": {**result, "cniVersion": "1.1.0"}})
    eth0 = next(i for i in later["interfaces"] if i.get("sandbox"))
    assert eth0["socketPath"].startswith("/run/sluice/ports/"), later
    assert "veth" not in node.run("ip link")
    none = lists["20-sluice-none.conflist"]["plugins"]
    none[0]["dataDir"] = lab.path("data")
    chain = Chain(none, lambda kind: plugin_of(lab), name="sluice-none")
    assert addresses(chain.add()) == ["10.90.0.2", "fd90::2"]
    chain.check()
    chain.delete()
    assert not files(lab, "sluice-none")
