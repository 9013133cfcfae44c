# SPDX-License-Identifier: BSD-3-Clause
"""What users of podman and containerd count on, whatever runs the container.

Each test takes a Kind of oci_kinds.py and says nothing of how that does it: with runc these are
tests of the test bed.
"""

import concurrent.futures
import hashlib
import os
import signal
import time

from lab import wait_until
from oci_kinds import EACH, EACH_LIFE
from podman import GATEWAY, pod
from suite import test

SUITE = "oci"

FOREVER = "while :; do sleep 0.1; done"
TALKER = ("trap 'echo changed' WINCH; trap 'echo INT; exit 9' INT; tty; echo ready; "
          "while :; do stty size; sleep 0.1; done")


@test(limit=120, each=EACH)
def podman_status(lab, kind):
    """What a container says and how it ends."""
    with kind.podman(lab) as engine:
        done = engine.run("echo out; echo err >&2; exit 7").check(7)
        assert (done.out, done.err) == (b"out\n", b"err\n"), (done.out, done.err)
        engine.run("sh -c 'kill -9 $$'; exit $?").check(137)
        engine.run(["no-such-command"]).check(127)
        engine.run(["/etc/passwd"]).check(126)
        data = os.urandom(300000)
        done = engine.run("sha256sum; exit 3", data=data).check(3)
        assert done.out.split()[0].decode() == hashlib.sha256(data).hexdigest(), done.out


@test(limit=60, each=EACH)
def podman_process(lab, kind):
    """Words, environment, user, groups, directory, limits, host name."""
    with kind.podman(lab) as engine:
        odd = "a b\n'\"$x\\ é"
        done = engine.run(["cat", "/proc/self/cmdline", "-", odd, ""], "-i").check(1)
        assert done.out.split(b"\0")[2:5] == [b"-", odd.encode(), b""], done.out
        who = "echo $A/$B; id -u; id -g; id -G; pwd; ulimit -n; umask; hostname; cat /etc/hostname"
        done = engine.run(who, "--env=A=1", "--env=B=x y", "--user=www", "--workdir=/var",
                          "--ulimit=nofile=700:800", "--ulimit=nproc=4096:4096", "--umask=0027",
                          "--hostname=web-0").check()
        assert done.out.decode().split("\n")[:9] == [
            "1/x y", "33", "33", "33 4 29", "/var", "700", "0027", "web-0", "web-0"], done.out
        # What podman makes for the container is there.
        done = engine.run("cat /etc/hosts /etc/resolv.conf", "--add-host=db:10.9.8.7",
                          "--dns=10.1.1.1").check()
        assert b"10.9.8.7" in done.out and b"nameserver 10.1.1.1" in done.out, done.out


@test(limit=60, each=EACH)
def podman_exec(lab, kind):
    """Commands beside it: status, streams, user, environment; many at a time."""
    with kind.podman(lab) as engine:
        web = engine.start("echo mine >/tmp/file; echo ready; sleep 1000").wait_for_log("ready")
        done = web.exec("cat /tmp/file; echo err >&2; exit 5").check(5)
        assert (done.out, done.err) == (b"mine\n", b"err\n"), (done.out, done.err)
        data = os.urandom(300000)
        done = web.exec("sha256sum", data=data).check()
        assert done.out.split()[0].decode() == hashlib.sha256(data).hexdigest(), done.out
        done = web.exec("id -u; pwd; echo $A", "--user=33", "--workdir=/var", "--env=A=x y").check()
        assert done.out == b"33\n/var\nx y\n", done.out
        web.exec("kill -9 $$").check(137)
        web.exec(["no-such-command"]).check(127)
        web.exec(["/etc/passwd"]).check(126)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for i, done in enumerate(pool.map(lambda i: web.exec(f"echo {i}; exit {i}"), range(8))):
                assert done.check(i).out == b"%d\n" % i, done.out
        job = engine.spawn("exec", web.name, "sh", "-c", "echo ready; " + FOREVER).wait_for("ready")
        web.call("rm", "-f", "-t", "0")
        assert job.wait().status != 0


@test(limit=60, each=EACH)
def podman_terminal(lab, kind):
    """run -it and exec -it: a terminal's size, its changes, its keys."""
    with kind.podman(lab) as engine:
        with engine.terminal(*engine.run_words(TALKER, "-it", "--name=tty"),
                             rows=33, columns=101) as term:
            use_terminal(term, 33, 101)
        assert engine.call("wait", "tty") == "9"
        web = engine.start(FOREVER)
        with web.exec_terminal(TALKER, rows=33, columns=101) as term:
            use_terminal(term, 33, 101)


def use_terminal(term, rows=24, columns=80):
    """Of TALKER, from its first size on."""
    term.wait_for("ready\r")
    assert b"/dev/" in term.seen, term.seen
    term.wait_for(f"{rows} {columns}\r")
    for rows, columns in ((44, 122), (45, 80)):
        term.seen = b""
        term.resize(rows, columns)
        term.wait_for("changed\r").wait_for(f"{rows} {columns}\r")
    # The terminal may say "^C" before the line ends.
    term.type("\x03").wait_for("INT")
    assert term.wait() == 9, term.tail()


@test(limit=60, each=EACH)
def podman_logs(lab, kind):
    """Both streams apart; -f ends with the container, and nothing said before is missing."""
    with kind.podman(lab) as engine:
        n = 20000
        talker = engine.start(f"seq {n}; seq {n} >&2; echo last; echo last >&2")
        assert talker.wait() == 0
        said = "".join(f"{i}\n" for i in range(1, n + 1)) + "last\n"
        out, err = talker.logs()
        assert (out, err) == (said, said), (out[-100:], err[-100:])

        web = engine.start("echo one; echo two >&2; sleep 1000")
        job = engine.spawn("logs", "-f", web.name).wait_for("one\n")
        wait_until(lambda: web.logs() == ("one\n", "two\n"), "all of it to be said")
        web.call("kill")
        done = job.wait().check()
        assert (done.out, done.err) == (b"one\n", b"two\n"), (done.out, done.err)


@test(limit=60, each=EACH)
def podman_attach(lab, kind):
    """To what runs: its output from then on, its input, its end."""
    with kind.podman(lab) as engine:
        clock = engine.start("while :; do echo tick; sleep 0.1; done")
        for _ in range(2):
            job = engine.spawn("attach", "--no-stdin", "--sig-proxy=false", clock.name)
            job.wait_for("tick\ntick\n").process.kill()
            job.wait()
        job = engine.spawn("attach", "--no-stdin", clock.name).wait_for("tick")
        clock.call("kill")
        job.wait()
        assert clock.wait() == 137
        asks = engine.start("echo ready; read x; echo got $x; exit 8", "-i").wait_for_log("ready")
        done = engine.try_call("attach", asks.name, data=b"it\n")
        assert b"got it\n" in done.out, done.out
        assert asks.wait() == 8


@test(limit=90, each=EACH)
def podman_stop(lab, kind):
    """The image's signal, the workload's answer, and the engine's patience."""
    with kind.podman(lab) as engine:
        image = engine.add_image("localhost/usr1:1", "STOPSIGNAL SIGUSR1")
        polite = engine.start("trap 'echo bye; exit 4' USR1; echo ready; " + FOREVER, image=image)
        polite.wait_for_log("ready")
        seconds = timed(lambda: polite.call("stop", "-t", "150"))
        assert seconds < 120 and polite.wait() == 4, seconds
        assert polite.logs()[0] == "ready\nbye\n", polite.logs()

        deaf = engine.start("trap '' TERM; echo ready; " + FOREVER, "--stop-timeout=150")
        deaf.wait_for_log("ready")
        seconds = timed(lambda: deaf.call("stop", "-t", "2"))
        assert 2 <= seconds < 120 and deaf.wait() == 137, seconds


def timed(action):
    begun = time.monotonic()
    action()
    return time.monotonic() - begun


@test(limit=60, each=EACH)
def podman_kill(lab, kind):
    """Signals reach the workload; KILL ends it at once, and so does rm -f."""
    with kind.podman(lab) as engine:
        web = engine.start("trap 'echo hup' HUP; echo ready; " + FOREVER).wait_for_log("ready")
        web.call("kill", "-s", "HUP")
        web.wait_for_log("hup")
        web.call("kill")
        assert web.wait() == 137
        # Whoever waits in front of it learns of it, and passes signals on.
        job = engine.spawn(*engine.run_words("trap 'exit 6' TERM; echo ready; " + FOREVER))
        job.wait_for("ready")
        job.process.terminate()
        assert job.wait().status == 6
        # At any moment of its start.
        for delay in (0, 0.1, 0.3, 1):
            early = engine.start("sleep 1000", "--stop-timeout=150")
            time.sleep(delay)
            assert timed(lambda early=early: early.call("rm", "-f", "-t", "0")) < 120
            assert not engine.call("ps", "-aq", "--filter", f"name={early.name}")


@test(limit=60, each=EACH)
def podman_restart(lab, kind):
    """The same files and, in a pod, the same network; another process."""
    with kind.podman(lab) as engine:
        engine.call("pod", "create", "--name", "front")
        web = engine.start("cat /file; echo again >/file; echo ready; exec sleep 1000",
                           "--pod=front").wait_for_log("ready")
        before = network_of(web), web.inspect(".State.Pid")
        web.call("restart", "-t", "0")
        web.wait_for_log("again\nready")
        after = network_of(web), web.inspect(".State.Pid")
        assert after[0] == before[0] and after[1] != before[1], (before, after)
        assert web.exec("cat /file").check().out == b"again\n"
        web.call("stop", "-t", "0")
        wait_until(lambda: web.inspect(".State.Status") == "exited", "it to have ended")
        web.call("start")
        wait_until(lambda: web.logs()[0].count("ready") == 3, "it to run for the third time", 120)
        assert network_of(web) == before[0]


def network_of(container):
    """The network namespace that it is in, on the node."""
    return os.readlink(f"/proc/{container.inspect('.State.Pid')}/ns/net")


@test(limit=60, each=EACH)
def podman_health(lab, kind):
    """The engine's check is a command in it, and what that says counts."""
    with kind.podman(lab) as engine:
        web = engine.start("touch /tmp/well; echo ready; exec sleep 1000",
                           "--health-cmd=test -e /tmp/well", "--health-retries=1",
                           "--health-timeout=120s")
        web.wait_for_log("ready")
        engine.try_call("healthcheck", "run", web.name).check()
        assert web.inspect(".State.Health.Status") == "healthy"
        web.exec("rm /tmp/well").check()
        engine.try_call("healthcheck", "run", web.name).check(1)
        assert web.inspect(".State.Health.Status") == "unhealthy"


@test(limit=90, each=EACH)
def podman_network(lab, kind):
    """Containers, their host and published ports reach each other, with what they send."""
    serve = "head -c 4000000 /dev/urandom >/tmp/page; cd /tmp; echo ready; exec httpd -f -p 80"
    with kind.podman(lab) as engine:
        web = engine.start(serve, "-p", "8080:80").wait_for_log("ready")
        near = engine.start("echo near >/page; echo ready; exec httpd -f -h /")
        near.wait_for_log("ready")
        page = web.exec("sha256sum /tmp/page").check().out.split()[0].decode()
        fetch = "busybox wget -q -O - http://{}/page | sha256sum"
        for address in (web.address(), "127.0.0.1:8080", f"{GATEWAY}:8080"):
            assert page in engine.node.namespace.run(fetch.format(address)), address
        for address in (web.address(), f"{GATEWAY}:8080"):
            assert page in near.exec(fetch.format(address)).check().out.decode(), address
        engine.node.namespace.run("mkdir -p /run/node-www; echo hello >/run/node-www/page")
        job = engine.node.namespace.spawn("exec busybox httpd -f -p 81 -h /run/node-www")
        wait_until(lambda: engine.node.namespace.try_run(
            "busybox wget -q -O - http://127.0.0.1:81/page")[0] == 0, "the host to serve")
        for container in (web, near):
            done = container.exec(f"wget -q -O - http://{GATEWAY}:81/page").check()
            assert done.out == b"hello\n", done.out
        done = web.exec(f"wget -q -O - http://{near.address()}/page").check()
        assert done.out == b"near\n", done.out
        job.kill()


@test(limit=60, each=EACH)
def podman_init(lab, kind):
    """--init: a workload without handlers is ended by its stop signal, orphans are waited for."""
    with kind.podman(lab) as engine:
        web = engine.start("echo $$; echo ready; exec sleep 1000", "--init").wait_for_log("ready")
        assert web.logs()[0].split()[0] != "1", web.logs()
        web.exec("sleep 0.01 & exit 0").check()
        wait_until(lambda: b"Z" not in web.exec(
            "cat /proc/[0-9]*/stat | awk '{print $3}'").check().out, "orphans to be waited for")
        assert timed(lambda: web.call("stop", "-t", "150")) < 120
        assert web.wait() == 143
        engine.run("exit 12", "--init").check(12)


@test(limit=60, each=EACH)
def podman_files(lab, kind):
    """Volumes of every sort, a root that is read-only, files that the image does not have."""
    with kind.podman(lab) as engine:
        shared = lab.path("shared")
        os.makedirs(shared)
        with open(os.path.join(shared, "given"), "w", encoding="ascii") as file:
            file.write("given\n")
        done = engine.run(
            "cat /data/given; echo made >/data/made; cat /deep/er/given; echo x >/deep/er/no; "
            "df -P /mem | grep -c tmpfs; echo x >/mem/file && echo mem; cat /one",
            f"--volume={shared}:/data", f"--volume={shared}:/deep/er:ro",
            "--tmpfs=/mem:size=1m", f"--volume={shared}/given:/one").check()
        assert done.out == b"given\ngiven\n1\nmem\ngiven\n" and b"ead-only" in done.err, (
            done.out, done.err)
        with open(os.path.join(shared, "made"), encoding="ascii") as file:
            assert file.read() == "made\n"
        engine.run("echo kept >/kept/file", "--volume=named:/kept").check()
        assert engine.run("cat /kept/file", "--volume=named:/kept").check().out == b"kept\n"
        engine.call("volume", "rm", "named")
        done = engine.run("touch /no 2>/dev/null || echo no; touch /tmp/yes && echo yes",
                          "--read-only").check()
        assert done.out == b"no\nyes\n", done.out


@test(limit=120, each=EACH)
def podman_kube_play(lab, kind):
    """A pod of two, its annotations on their way to the runtime, and its end."""
    page = "mkdir -p /www; echo from web >/www/page; echo ready; exec httpd -f -p 80 -h /www"
    manifest = pod("front", [
        {"name": "web", "command": page},
        {"name": "side", "command": "until wget -q -O - http://127.0.0.1/page; do sleep 0.1; done; "
                                    "echo mine; exec sleep 1000"}],
        annotations={"example.org/note": "a\"b", **kind.pod_annotations("web")})
    with kind.podman(lab) as engine:
        engine.kube_play(manifest).check()
        web, side = engine.container("front-web"), engine.container("front-side")
        web.wait_for_log("ready")
        side.wait_for_log("from web\nmine")
        for container in (web, side):
            assert container.config()["annotations"]["example.org/note"] == "a\"b"
        assert web.exec("wget -q -O - http://127.0.0.1/page").check().out == b"from web\n"
        engine.kube_down(manifest).check()
        assert not engine.call("ps", "-aq") and not engine.call("pod", "ps", "-q")


@test(limit=120, each=EACH)
def podman_rounds(lab, kind):
    """Round after round nothing is left, however it ends."""
    with kind.podman(lab) as engine:
        engine.run("true", "-p", "8080:80").check()
        engine.note_ids()
        before = engine.node.census()
        for i in range(100 if lab.soak else 3):
            web = engine.start("echo ready; exec sleep 1000", "-p", "8080:80")
            web.wait_for_log("ready")
            web.exec("true").check()
            if i % 3 == 0:
                web.call("kill")
            elif i % 3 == 1:
                web.call("stop", "-t", "1")
            web.call("rm", "-f", "-t", "0")
        engine.note_ids()
        engine.node.before = before
        engine.node.assert_clean()


@test(limit=120, each=EACH)
def containerd_run(lab, kind):
    """The same through containerd's shim, with its own seccomp profile."""
    with kind.containerd(lab) as engine:
        done = engine.run("echo out; echo err >&2; exit 7").check(7)
        assert (done.out, done.err) == (b"out\n", b"err\n"), (done.out, done.err)
        web = engine.start("echo mine >/tmp/file; exec sleep 1000")
        wait_until(lambda: web.exec("cat /tmp/file").out == b"mine\n", "it to run", 120)
        web.exec("echo err >&2; exit 5").check(5)
        done = web.exec("grep ^NoNewPrivs: /proc/self/status").check()
        assert done.out.split() == [b"NoNewPrivs:", b"1"], done.out
        with open(f"/proc/{web.pid()}/status", encoding="ascii") as file:
            assert "\nSeccomp:\t2\n" in file.read(), "there is no filter"
        web.kill()


@test(limit=120, each=EACH_LIFE)
def podman_life(lab, kind):
    """One container through all that can happen to it, for kinds that take long to start."""
    script = ("trap 'echo bye; exit 4' TERM; echo $$ >>/starts; echo err >&2; "
              "httpd -p 80 -h /etc; echo ready; " + FOREVER)
    with kind.podman(lab) as engine:
        web = engine.start(script, "-p", "8080:80", "--health-cmd=test -e /starts",
                           "--health-timeout=120s",
                           "--hostname=web-0").wait_for_log("ready")
        web.exec("hostname; exit 5").check(5)
        with web.exec_terminal(TALKER) as term:
            use_terminal(term)
        engine.try_call("healthcheck", "run", web.name).check()
        for address in (f"{web.address()}:80", f"{GATEWAY}:8080"):
            engine.node.namespace.run(f"busybox wget -q -O - http://{address}/hostname")
        assert web.logs() == ("ready\n", "err\n"), web.logs()
        web.call("restart", "-t", "120")
        wait_until(lambda: web.logs()[0] == "ready\nbye\nready\n", "it to be up again", 120)
        assert web.exec("wc -l </starts").check().out.strip() == b"2"
        web.call("stop", "-t", "120")
        assert web.wait() == 4


@test(limit=90, each=EACH)
def containerd_network_and_files(lab, kind):
    """Volumes, its terminal, and the network that it was given."""
    shared = lab.path("shared")
    os.makedirs(shared)
    with open(os.path.join(shared, "page"), "w", encoding="ascii") as file:
        file.write("given\n")
    mount = f"type=bind,src={shared},dst=/data,options=rbind:"
    with kind.containerd(lab) as engine:
        web = engine.start("exec httpd -f -p 80 -h /data", f"--mount={mount}rw")
        address = web.address()
        fetch = f"wget -q -O - http://{address}/page"
        wait_until(lambda: engine.node.namespace.try_run("busybox " + fetch) == (0, "given\n"),
                   "the container to serve its node", 120)
        done = engine.run(f"{fetch}; cat /data/page; echo x >/data/no", f"--mount={mount}ro")
        assert done.out == b"given\ngiven\n" and b"ead-only" in done.err, (done.out, done.err)
        web.exec("echo made >/data/made").check()
        with open(os.path.join(shared, "made"), encoding="ascii") as file:
            assert file.read() == "made\n"
        with web.exec_terminal(TALKER) as term:
            use_terminal(term)
        web.kill(signal.SIGTERM)
        web.kill(signal.SIGKILL)
        web.wait_stopped()
