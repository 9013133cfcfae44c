# SPDX-License-Identifier: BSD-3-Clause
"""An image of Sluice, as config/Containerfile makes one, of what the build installs and those of this
machine's programs and libraries that a VM on User-Mode Linux needs.

    image = make_sluice_image(lab)      # a directory: unpacked
"""

import os
import re
import shutil
import subprocess

from guest import GUEST_DIR

MODULES = "usr/lib/uml/modules"


def make_sluice_image(lab, vms=True):
    """`vms`: with a kernel's modules, which are most of it."""
    image = lab.path("sluice-image")
    subprocess.run(["meson", "install", "-C", lab.build, "--no-rebuild", "--quiet", "--destdir",
                    lab.path("tree")], check=True, stdout=subprocess.DEVNULL)
    os.makedirs(image)
    # The build's prefix is not the image's.
    os.rename(lab.path("tree/usr/local"), os.path.join(image, "usr"))
    for program in (os.path.join(GUEST_DIR, "linux.uml"), "/usr/lib/qemu/virtiofsd"):
        to = "usr/bin/linux.uml" if program.endswith(".uml") else program[1:]
        put(image, program, to)
    if vms:
        shutil.copytree(os.path.join(GUEST_DIR, "uml", MODULES), os.path.join(image, MODULES))
    for name in ("bin", "sbin", "lib", "lib64"):
        os.makedirs(os.path.join(image, "usr", name), exist_ok=True)
        os.symlink("usr/" + name, os.path.join(image, name))
    add_libraries(image)
    return image


def put(image, program, to):
    path = os.path.join(image, to)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    shutil.copy2(os.path.realpath(program), path)


def add_libraries(image):
    """Of all programs, where Debian has them."""
    programs = [os.path.join(top, name) for top, _, names in os.walk(os.path.join(image, "usr"))
                for name in names if "/share/" not in top and MODULES not in top]
    said = subprocess.run(["ldd", *programs], check=False, capture_output=True, text=True).stdout
    for library in sorted(set(re.findall(r"(/\S+) \(0x", said))):
        place = "usr/lib64" if "ld-linux" in library else "usr/lib/x86_64-linux-gnu"
        put(image, library, os.path.join(place, os.path.basename(library)))
