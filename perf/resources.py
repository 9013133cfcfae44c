# SPDX-License-Identifier: BSD-3-Clause
"""What sluiced costs: CPU when idle, resident memory under load, time to start."""

import json
import os
import re
import select
import socket
import subprocess
import time

from bench import SLUICE, Bench, Group, Void
from guest import die_with_parent
from guest_net import sluice_guest
from lab import PEER4, kill_group, ping

IDLE_SECONDS = 10
LOAD_SECONDS = 4
MAPPING = re.compile(r"^[0-9a-f]+-[0-9a-f]+ (\S{4}) \S+ (\S+) (\d+)")


def threads(pid, name):
    """The content of /proc/PID/task/*/NAME."""
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/{name}", encoding="utf-8") as file:
            yield file.read()


def cpu_seconds(pid):
    # As precise as the scheduler itself; utime and stime of /proc/PID/stat are this in ticks.
    return sum(int(text.split()[0]) for text in threads(pid, "schedstat")) / 1e9


def n_voluntary_switches(pid):
    return sum(int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", text, re.M).group(1))
               for text in threads(pid, "status"))


def idle(lab, _):
    guest = sluice_guest(lab)
    ping(guest, PEER4)
    pid = lab.sluiced.process.pid
    before = time.monotonic(), cpu_seconds(pid), n_voluntary_switches(pid)
    time.sleep(IDLE_SECONDS)
    seconds, cpu, switches = (now - then for now, then in zip(
        (time.monotonic(), cpu_seconds(pid), n_voluntary_switches(pid)), before))
    return {"idle": 100 * cpu / seconds, "wake-ups of idle sluiced per second": switches / seconds}


def mappings(pid):
    """(permissions, file, {name: kB}) of each mapping of a process; a file is (device, inode)."""
    current = None
    with open(f"/proc/{pid}/smaps", encoding="utf-8") as smaps:
        for line in smaps:
            if head := MAPPING.match(line):
                if current:
                    yield current
                current = head[1], (head[2], head[3]), {}
            elif line.endswith(" kB\n"):
                name, kilobytes, _ = line.split()
                current[2][name.rstrip(":")] = int(kilobytes)
    yield current


def shared_files(pid):
    return {file for permissions, file, _ in mappings(pid)
            if permissions.endswith("s") and file[1] != "0"}


def resident_mb(pid, guest_pid):
    """Without what the guest maps too: its memory, of which touched pages count for both."""
    guest_memory = shared_files(guest_pid)
    if not guest_memory & shared_files(pid):
        raise Void("sluiced does not map the guest's memory")
    total = 0
    for _, file, sizes in mappings(pid):
        if sizes.get("Private_Hugetlb", 0) or sizes.get("Shared_Hugetlb", 0):
            raise Void("sluiced uses hugepages")
        total += 0 if file in guest_memory else sizes["Rss"]
    return total / 1024


def footprint(lab, _):
    """The most that was resident while TCP went both ways."""
    guest = sluice_guest(lab)
    lab.peer.spawn("iperf3 -s -1 --forceflush").wait_for("Server listening")
    client = guest.spawn(f"iperf3 -c {PEER4} -t {LOAD_SECONDS} --bidir -J")
    most = 0
    for _ in range(2 * LOAD_SECONDS - 2):
        time.sleep(0.5)
        most = max(most, resident_mb(lab.sluiced.process.pid, guest.process.pid))
    end = json.loads(client.wait())["end"]
    n_bytes = min(end["sum_received"]["bytes"], end["sum_received_bidir_reverse"]["bytes"])
    if n_bytes < 1 << 20:
        raise Void(f"there was no load: {n_bytes} bytes")
    return {"footprint": most}


def await_ready(notify, process):
    pidfd = os.pidfd_open(process.pid)
    try:
        while notify in select.select([notify, pidfd], [], [], 10)[0]:
            if b"READY=1" in notify.recv(4096).split(b"\n"):
                return
        raise Void("sluiced ended or was not READY in time")
    finally:
        os.close(pidfd)


def ready(lab, _):
    """From before fork and exec to the arrival of READY=1."""
    lab.wire()
    config_path, notify_path = lab.path("sluiced.json"), lab.path("notify")
    with open(config_path, "w", encoding="utf-8") as file:
        json.dump(lab.config(), file)
    program = os.path.join(lab.build, "switch", "sluiced")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(notify_path)
        # Moves into the pod first, so that ip's own start is not part of the time.
        prepared = subprocess.Popen(
            ["ip", "netns", "exec", "pod", "sh", "-c",
             'echo >&2; read -r go; exec "$@"', "sh", program, "--config", config_path],
            stdin=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0, bufsize=0,
            env=dict(os.environ, NOTIFY_SOCKET=notify_path), preexec_fn=die_with_parent)
        try:
            prepared.stderr.read(1)
            started = time.monotonic()
            prepared.stdin.write(b"go\n")
            await_ready(notify, prepared)
            return {"ready": (time.monotonic() - started) * 1000}
        finally:
            kill_group(prepared)
            prepared.stdin.close()
            prepared.stderr.close()


GROUPS = [
    Group(
        benches=[Bench("idle", "%CPU", more_is_better=False, bar=1)],
        sides={SLUICE: idle},
        runs=3, cpus={0},
        setup=f"sluiced over {IDLE_SECONDS} s, a guest connected that does nothing"),
    Group(
        benches=[Bench("footprint", "MB", more_is_better=False, bar=16)],
        sides={SLUICE: footprint},
        runs=3, cpus={0},
        setup="sluiced with one guest and TCP both ways, the guest's memory not counted; no "
              "hugepages"),
    Group(
        benches=[Bench("ready", "ms", more_is_better=False, bar=200)],
        sides={SLUICE: ready},
        runs=20,
        setup="from exec of sluiced to READY=1"),
]
