# SPDX-License-Identifier: BSD-3-Clause
"""Who the workload of a VM is and what it may do, as itself sees it; and who is refused."""

import os
import re

from cni import Calico
from suite import test
from vm import Vm
from test_vm_faults import assert_says

SUITE = "vm"

LOOK = ("cat /proc/self/status; cat /proc/self/limits; pwd; umask; touch /tmp/made-$1; "
        "stat -c 'Made: %a %u:%g' /tmp/made-$1; ping -c1 -W30 127.0.0.1 >/dev/null 2>&1; "
        "echo Ping: $?; echo Env: $GIVEN $SHORT")
SLEEP = "; echo ready; exec sleep 1000"
ALL = (1 << 41) - 1
CAP_CHOWN, CAP_NET_RAW = 1 << 0, 1 << 13


def look(text):
    """{"CapEff": "…", "Max open files": ["1024", "4096"], …} of what LOOK prints."""
    seen = {}
    for line in text.decode().splitlines():
        key, colon, value = line.partition(":")
        if colon:
            seen[key] = " ".join(value.split())
        elif line.startswith("Max "):
            seen[line[:26].strip()] = line[26:].split()[:2]
        elif line.startswith("/"):
            seen["cwd"] = line
    return seen


def shell(name):
    return ["/bin/sh", "-c", LOOK, "-", name]


def capabilities(seen):
    return {key: int(seen[key], 16) for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}


@test(limit=60)
def process_defaults(lab):
    """Without a word it is root, with every capability, as its kernel has it."""
    vm = Vm(Calico(lab))
    seen = look(vm.run(shell("0")).check().out)
    assert capabilities(seen) == {"CapInh": 0, "CapPrm": ALL, "CapEff": ALL, "CapBnd": ALL,
                                  "CapAmb": 0}, seen
    assert (seen["Umask"], seen["NoNewPrivs"], seen["Uid"]) == ("0022", "0", "0 0 0 0"), seen
    assert (seen["Groups"], seen["cwd"], seen["Made"]) == ("", "/", "644 0:0"), seen
    assert seen["Ping"] == "0", seen
    vm.assert_gone()


@test(limit=60)
def process_settings(lab):
    """As a container's user says it; an exec beside it is the same, or who it says."""
    vm = Vm(Calico(lab))
    argv = ["/bin/sh", "-c", LOOK + SLEEP, "-", "0"]
    job = vm.start(argv, "-u", "www", "--group-add", "adm", "--group-add=4321", "--workdir=/var",
                   "--umask", "027", "--ulimit=nofile=100:200", "--ulimit", "core=0",
                   "--ulimit=nproc=unlimited", "--cap-drop=ALL", "--cap-add=NET_RAW",
                   "--cap-add=cap_chown", "--no-new-privileges", "-e", "GIVEN=yes",
                   "--env=SHORT=too", "--kernel-append", "-t")  # a value, and no terminal
    seen = look(job.wait_for("ready\n").seen)
    want = CAP_NET_RAW | CAP_CHOWN
    assert capabilities(seen) == dict.fromkeys(
        ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), want), seen
    assert (seen["Uid"], seen["Gid"]) == ("33 33 33 33", "33 33 33 33"), seen
    assert set(seen["Groups"].split()) == {"4", "29", "4321"}, seen
    assert (seen["Umask"], seen["NoNewPrivs"], seen["cwd"]) == ("0027", "1", "/var"), seen
    assert (seen["Max open files"], seen["Max core file size"], seen["Max processes"]) == (
        ["100", "200"], ["0", "0"], ["unlimited", "unlimited"]), seen
    assert (seen["Made"], seen["Ping"]) == ("640 33:33", "0"), seen
    assert seen["Env"] == "yes too", seen

    beside = look(vm.exec(shell("1"), "--workdir=/var").check().out)
    for key in ("CapEff", "CapAmb", "Uid", "Umask", "NoNewPrivs", "Max open files", "cwd"):
        assert beside[key] == seen[key], (key, beside[key], seen[key])
    assert set(beside["Groups"].split()) == {"4", "29", "4321"}, beside
    root = look(vm.exec(shell("2"), "-u", "0:0", "-w", "/etc").check().out)
    assert capabilities(root) == {"CapInh": 0, "CapPrm": want, "CapEff": want, "CapBnd": want,
                                  "CapAmb": 0}, root
    assert (root["Uid"], root["cwd"]) == ("0 0 0 0", "/etc") and root["Made"] == "640 0:0", root
    vm.verb("stop", "--grace", "0")
    job.wait()
    vm.assert_gone()


@test(limit=60)
def process_refused(lab):
    """One line that names the setting, before anything is started."""
    vm = Vm(Calico(lab))
    for option, *words in (
            ("--umask=9", "umask: ", "octal"), ("--umask=1000", "umask: "),
            ("--ulimit=nofile", "ulimit: nofile", "SOFT"), ("--ulimit=files=1", "ulimit: \"files\""),
            ("--ulimit=nofile=2:1", "ulimit: nofile", "above"),
            ("--cap-add=FLY", "cap-add: \"FLY\""), ("--cap-drop=FLY", "cap-drop: \"FLY\"")):
        assert_says(vm.run("echo ran", option), 125, *words)
    assert_says(vm.run("echo ran", "--cap-add=KILL", "--cap-drop=KILL"), 125, "CAP_KILL")
    assert not os.path.exists(os.path.join(vm.run_dir, vm.name + ".log")) or \
        "name=vmm" not in vm.log(), vm.log()
    # Doctor looks at the same.
    words = [word if word != "run" else "doctor" for word in vm.words("--umask=9")]
    code, said = vm.net.pod.try_run(" ".join([*words, "--switch-socket=/no/such"]))
    assert code == 1 and re.search(r"^fail  process +umask: ", said, re.MULTILINE), said
    assert re.search(r"^fail  switch-socket +cannot connect to /no/such", said, re.MULTILINE), said
    vm.assert_gone()
    # What is in its place is not removed if it is not a VM's.
    mine = os.path.join(vm.run_dir, vm.name, "mine")
    os.makedirs(os.path.dirname(mine))
    with open(mine, "w", encoding="ascii"):
        pass
    assert_says(vm.run("echo ran"), 125, "no VM's", "run-dir")
    os.remove(mine)
    # What only the guest knows.
    assert_says(vm.run("echo ran", "--group-add=nobodys"), 126, "no group \"nobodys\"")
    vm.assert_gone()
