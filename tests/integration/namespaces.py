# SPDX-License-Identifier: BSD-3-Clause
"""A program that runs itself again where it can be in nobody's way, nor anybody in its own."""

import os
import subprocess
import sys

from guest import die_with_parent


def start_inside(variable, value="1", pass_fds=()):
    """This program once more, in namespaces of its own (mount, process, network).

    It knows by `variable`, which is in its environment only, and ends with us. The first process
    there is a shell, which waits for all: container engines leave processes behind that they ask for
    later, and one that has ended but not been waited for is one that runs.
    """
    argv = ["unshare", "--mount", "--propagation", "private", "--net", "--pid", "--fork",
            "--kill-child=KILL", "--mount-proc", "sh", "-c", '"$@"; exit $?', "first",
            sys.executable, *sys.argv]
    return subprocess.Popen(argv, env=dict(os.environ, **{variable: value}), pass_fds=pass_fds,
                            preexec_fn=die_with_parent)
