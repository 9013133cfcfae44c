# SPDX-License-Identifier: BSD-3-Clause
"""CNI plugins, called as a container runtime calls them."""

import json
import os
import subprocess

from guest import die_with_parent

STOCK_DIR = "/usr/lib/cni"  # containernetworking-plugins
VERSIONS = ("0.3.1", "0.4.0", "1.0.0", "1.1.0")


class Failed(Exception):
    """What a plugin says of an error."""

    def __init__(self, answer):
        super().__init__(json.dumps(answer))
        self.code = answer["code"]
        self.msg = answer["msg"]
        self.version = answer.get("cniVersion")


class Plugin:
    """A plugin's program; `netns`: where it runs."""

    def __init__(self, path, netns=None):
        self.argv = [*(["ip", "netns", "exec", netns] if netns else []), path]

    def start(self, command, config, container="c1", ifname="eth0", netns="/run/netns/pod", **env):
        """The process, which has read nothing yet; None leaves a variable out."""
        said = {"CNI_COMMAND": command, "CNI_CONTAINERID": container, "CNI_IFNAME": ifname,
                "CNI_NETNS": netns, "CNI_PATH": STOCK_DIR, **env}
        kept = {key: value for key, value in os.environ.items() if not key.startswith("CNI_")}
        process = subprocess.Popen(
            self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**kept, **{key: value for key, value in said.items() if value is not None}},
            preexec_fn=die_with_parent)
        text = config if isinstance(config, bytes) else json.dumps(config).encode()
        return process, text

    @staticmethod
    def answer(process, text):
        """What it answers: JSON, or None if that is nothing."""
        out, stderr = process.communicate(text, timeout=120)
        answer = json.loads(out) if out.strip() else None
        assert not stderr, stderr.decode()
        if process.returncode != 0:
            assert process.returncode == 1, (process.returncode, out)
            raise Failed(answer)
        return answer

    def call(self, command, config, **env):
        return self.answer(*self.start(command, config, **env))

    def fails(self, command, config, code, *words, **env):
        """It fails with that code, and a message that has the words."""
        try:
            answer = self.call(command, config, **env)
        except Failed as error:
            assert error.code == code, error
            assert all(word in error.msg for word in words), error
            assert error.version in VERSIONS, error
            assert "\n" not in error.msg, error
            return error
        raise AssertionError(f"{command} succeeded: {answer}")


class Chain:
    """A network configuration list, gone through as the specification has it."""

    def __init__(self, configs, find, name="net", version="1.0.0"):
        self.configs = [{**config, "name": name, "cniVersion": version} for config in configs]
        self.plugins = [find(config["type"]) for config in configs]
        self.result = None

    def add(self, **env):
        self.result = None
        for plugin, config in zip(self.plugins, self.configs):
            self.result = plugin.call("ADD", self._with_result(config), **env)
        return self.result

    def check(self, **env):
        for plugin, config in zip(self.plugins, self.configs):
            assert plugin.call("CHECK", self._with_result(config), **env) is None

    def delete(self, **env):
        for plugin, config in reversed(list(zip(self.plugins, self.configs))):
            assert plugin.call("DEL", self._with_result(config), **env) is None

    def _with_result(self, config):
        return {**config, "prevResult": self.result} if self.result else config
