# SPDX-License-Identifier: BSD-3-Clause
"""A program that runs itself again where it can be in nobody's way, nor anybody in its own."""

import os
import subprocess
import sys

from guest import die_with_parent


def start_inside(variable, value="1", pass_fds=()):
    """This program once more, as the first process of namespaces of its own (mount, process, network).

    It knows by `variable`, which is in its environment only, and ends with us.
    """
    argv = ["unshare", "--mount", "--propagation", "private", "--net", "--pid", "--fork",
            "--kill-child=KILL", "--mount-proc", sys.executable, *sys.argv]
    return subprocess.Popen(argv, env=dict(os.environ, **{variable: value}), pass_fds=pass_fds,
                            preexec_fn=die_with_parent)
