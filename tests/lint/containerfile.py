#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Would config/Containerfile build, and run what it holds? containerfile.py BUILD_DIR

What can be known without building it: that it copies what is there and all of that, that its packages
exist, that the first stage has the packages of ./dev's build and the last one the libraries that our
programs were linked with and the programs that they start.
"""

import glob
import os
import re
import shlex
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
# What sluice-vm starts, or looks for, by package.
STARTED = {"qemu-system-x86", "nfs-ganesha", "nfs-ganesha-vfs", "dnsmasq-base", "e2fsprogs"}


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def stages(text):
    """{name: [(instruction, words)]}, in order."""
    found, name = {}, None
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.M).replace("\\\n", " ")
    for line in filter(None, map(str.strip, text.splitlines())):
        instruction, rest = line.split(None, 1)
        if instruction == "FROM":
            base, name = rest.split(" AS ")
            found[name] = [("BASE", [base])]
        else:
            words = shlex.split(rest) if instruction in ("RUN", "COPY", "LABEL") else [rest]
            found[name].append((instruction, words))
    return found


def packages(stage):
    """Those that its RUN lines install."""
    commands = [command for instruction, words in stage if instruction == "RUN"
                for command in " ".join(words).split(" && ")]
    return {word for command in commands if command.startswith("apt-get install ")
            for word in command.split()[2:] if not word.startswith("-")}


def dev_packages(section):
    """Those of ./dev's list below a comment."""
    listed = re.search(r"^packages=\((.*?)^\)", read("dev"), flags=re.M | re.S)[1]
    return set(re.search(rf"# {section}\n(.*?)(#|\Z)", listed, flags=re.S)[1].split())


def unknown_packages(names):
    """Those that apt has no candidate of."""
    shown = subprocess.run(["apt-cache", "policy", *sorted(names)], check=True, capture_output=True,
                           text=True).stdout
    known = {name for name, candidate in
             re.findall(r"^(\S+):\n  Installed: .*\n  Candidate: (.*)$", shown, flags=re.M)
             if candidate != "(none)"}
    return names - known


def libraries_of(program):
    """The packages of the libraries that a program names itself."""
    dynamic = subprocess.run(["readelf", "-d", program], check=True, capture_output=True,
                             text=True).stdout
    found = set()
    for name in re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic):
        path = glob.glob(f"/lib/*-linux-gnu/{name}") + glob.glob(f"/lib64/{name}")
        owners = subprocess.run(["dpkg", "-S", f"*/{name}"], capture_output=True, text=True,
                                check=False).stdout
        packages_of = set(re.findall(r"^([^:, ]+)[:,]", owners, flags=re.M))
        if not path or not packages_of:
            raise SystemExit(f"{program}: {name} is of no package")
        found.add(frozenset(packages_of))
    return found


def check_sources(all_stages):
    for name, stage in all_stages.items():
        for instruction, words in stage:
            if instruction != "COPY":
                continue
            if words[0].startswith("--from="):
                origin = words[0].split("=")[1]
                if list(all_stages).index(origin) >= list(all_stages).index(name):
                    yield f"{name} copies from {origin}, which comes later"
                continue
            yield from (f"{name} copies {word}, which is not there" for word in words[:-1]
                        if not os.path.exists(os.path.join(ROOT, word.rstrip("/"))))
    copied = {word.rstrip("/") for instruction, words in all_stages["build"]
              if instruction == "COPY" for word in words[:-1]}
    needed = {"meson.build", "meson_options.txt",
              *re.findall(r"^subdir\('(.*)'\)", read("meson.build"), flags=re.M)}
    if copied != needed:
        yield f"build copies {sorted(copied)}, meson needs {sorted(needed)}"


def check_install_tree(build, stage):
    """What is installed is what the image's other files name, and can be run with its libraries."""
    with tempfile.TemporaryDirectory() as tree:
        subprocess.run(["meson", "install", "-C", build, "--no-rebuild", "--quiet", "--destdir",
                        tree], check=True, stdout=subprocess.DEVNULL)
        prefix = tree + "/usr/local"
        named = re.findall(r"/usr/((?:bin|sbin|libexec|share)/[\w./-]+)",
                           read("config/kubernetes/installer.yaml"))
        for path in named + ["bin/sluice-vm", "libexec/sluice/sluice-exec", "sbin/sluiced",
                             "share/sluice/installer/sluice-install",
                             "share/sluice/engines/crio.conf",
                             "share/sluice/containers.conf.d/50-sluice.conf",
                             "share/sluice/kubernetes/kustomization.yaml",
                             "lib/systemd/system/sluiced.service"]:
            if not os.path.exists(os.path.join(prefix, path)):
                yield f"/usr/{path} is not installed"
            elif "/installer/sluice-" in path and not os.access(os.path.join(prefix, path), os.X_OK):
                yield f"/usr/{path} cannot be run"
        link = os.path.join(prefix, "sbin/sluice-install")
        if os.readlink(link) != "/usr/local/share/sluice/installer/sluice-install":
            yield f"sluice-install leads to {os.readlink(link)}"
        there = packages(stage)
        programs = [path for top in ("bin", "sbin", "libexec/sluice")
                    for path in glob.glob(os.path.join(prefix, top, "*"))]
        for program in programs:
            if not os.path.islink(program):
                yield from (f"{os.path.basename(program)} needs one of {sorted(owners)}"
                            for owners in libraries_of(program)
                            if not owners & (there | {"libc6"}))


def main():
    build = sys.argv[1]
    all_stages = stages(read("config/Containerfile"))
    problems = list(check_sources(all_stages))
    wanted = set().union(*map(packages, all_stages.values()))
    problems += [f"no package {name} (or apt-get update is due)" for name in
                 unknown_packages(wanted | {"linux-image-cloud-amd64"})]
    difference = packages(all_stages["build"]) ^ dev_packages("build")
    if difference:
        problems.append(f"build and ./dev do not agree on {sorted(difference)}")
    missing = STARTED - packages(all_stages["sluice"])
    if missing or STARTED - dev_packages("guests"):
        problems.append(f"not in the image or in ./dev: {sorted(missing)}")
    problems += check_install_tree(build, all_stages["sluice"])
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
