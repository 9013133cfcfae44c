#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Stands in for Cloud Hypervisor and Firecracker, which Debian does not package.

Started as they are (--api-socket path=SOCKET, or --api-sock SOCKET), it holds every request against
the description of the real one's interface (tests/data/api): what is not documented, has a field
that is not, lacks one or has one of another type is refused as they refuse it, and so is what they
refuse for its order or its contents. Then it plays the guest: it says on its stdout, the guest's
console, what it was told, and ends with status 0 when the power button is pressed.

FAKE_VMM=boots: the guest is a real one, made of what it was told (fake_guest.py). The process then
goes through what the real ones do: Firecracker ends when its guest resets, and not when it powers
off, for which it has no device; Cloud Hypervisor ends when its guest powers off, and boots one again
that resets.

FAKE_VMM=never-listens | hangs | crashes: what it does instead.
"""

import contextlib
import fcntl
import http.server
import json
import os
import re
import signal
import socketserver
import struct
import sys
import threading
import time

import yaml

from fake_guest import Guest, Machine

API_DIR = os.environ.get("SLUICE_API_DIR") or os.path.join(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data", "api")
TYPES = {"string": str, "integer": int, "boolean": bool, "object": dict, "array": list}


class Refused(Exception):
    """A request that the real one answers with an error."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


class Api:
    """An OpenAPI 3 or Swagger 2 description, and whether a request is what it describes."""

    def __init__(self, name):
        with open(os.path.join(API_DIR, name + ".yaml"), encoding="utf-8") as file:
            self.root = yaml.safe_load(file)

    def find(self, method, path):
        for template, operations in self.root["paths"].items():
            pattern = re.sub(r"\{\w+\}", "[^/]+", template)
            if re.fullmatch(pattern, path) and method.lower() in operations:
                return operations[method.lower()]
        raise Refused(400, f"{method} {path} is not documented")

    def body_schema(self, operation):
        if "requestBody" in operation:
            return operation["requestBody"]["content"]["application/json"]["schema"]
        return next((parameter["schema"] for parameter in operation.get("parameters", [])
                     if parameter["in"] == "body"), None)

    def check_request(self, method, path, body):
        schema = self.body_schema(self.find(method, path))
        if (schema is None) != (body is None):
            raise Refused(400, f"{path}: " + ("a body" if schema is None else "no body"))
        if schema is not None:
            self.check(path, schema, body)

    def resolve(self, schema):
        while "$ref" in schema:
            at = self.root
            for word in schema["$ref"].removeprefix("#/").split("/"):
                at = at[word]
            schema = at
        return schema

    def check(self, where, schema, value):
        schema = self.resolve(schema)
        kind = TYPES.get(schema.get("type", "object"), dict)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise Refused(400, f"{where}: {value!r} is no {schema.get('type')}")
        if "enum" in schema and value not in schema["enum"]:
            raise Refused(400, f"{where}: {value!r} is none of {schema['enum']}")
        if kind is int and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            raise Refused(400, f"{where}: {value} is out of range")
        if kind is dict:
            self.check_object(where, schema, value)
        elif kind is list:
            for item in value:
                self.check(where + "[]", schema["items"], item)

    def check_object(self, where, schema, value):
        properties = schema.get("properties", {})
        for key in schema.get("required", []):
            if key not in value:
                raise Refused(400, f"{where}: {key} is missing")
        for key, item in value.items():
            if key not in properties:
                raise Refused(400, f"{where}: unknown field {key}")
            self.check(f"{where}.{key}", properties[key], item)


def check_file(path):
    if not os.path.isfile(path):
        raise Refused(400, f"no such file: {path}")


def check_free(path):
    """A socket's name."""
    if os.path.lexists(path):
        raise Refused(400, f"cannot bind {path}: Address already in use (os error 98)")


def is_pvh(path):
    """An ELF file with the note that says where a machine without firmware enters it."""
    with open(path, "rb") as kernel:
        return kernel.read(4) == b"\x7fELF" and b"Xen\0" in kernel.read()


class CloudHypervisor:
    """All of a machine in one request; errors are plain text."""

    api_name = "cloud-hypervisor"
    prefix = "/api/v1"

    def __init__(self, work_dir, boots):
        self.work_dir, self.boots = work_dir, boots
        self.config = self.guest = None
        self.state = "Created"

    def fault(self, text):
        return text.encode()

    def tell(self, path):
        if path == "/vm.info" and self.config is not None:
            return {"config": self.config, "state": self.state}
        raise Refused(404, f"no {path}")

    def carry_out(self, path, body):
        if path == "/vm.create":
            self.create(body)
        elif path == "/vm.boot":
            if self.config is None:
                raise Refused(404, "The VM is not created")
            self.boot()
        elif path == "/vm.power-button":
            if self.state != "Running":
                raise Refused(405, "The VM is not booted")
            if not self.guest:
                return True
            self.guest.press_power_button()
        else:
            raise Refused(500, f"the fake has no {path}")
        return False

    def create(self, config):
        if self.config is not None:
            raise Refused(500, "VmAlreadyCreated")
        check_file(config["payload"]["kernel"])
        needs_shared = config.get("fs") or any(net.get("vhost_user") for net in config.get("net", []))
        if needs_shared and not config["memory"].get("shared"):
            raise Refused(500, "Invalid configuration: vhost-user requires shared memory")
        for disk in config.get("disks", []):
            check_file(disk["path"])
        for net in config.get("net", []):
            if net.get("vhost_user") and net.get("vhost_mode", "Client") != "Client":
                raise Refused(500, "the fake listens for no vhost-user backend")
        self.config = config

    def boot(self):
        config, payload = self.config, self.config["payload"]
        if self.boots:
            if not is_pvh(payload["kernel"]):
                raise Refused(500, "Cannot load kernel: kernel has no PVH header")
            for path in filter(None, (payload["kernel"], payload.get("initramfs"))):
                check_file(path)
            vsock = config.get("vsock")
            if vsock:
                check_free(vsock["socket"])
            self.guest = Guest(Machine(
                kernel=payload["kernel"], initrd=payload.get("initramfs"),
                cmdline=payload["cmdline"], cpus=config["cpus"]["boot_vcpus"],
                memory_mib=config["memory"]["size"] >> 20, shared=config["memory"]["shared"],
                vsock=(vsock["cid"], vsock["socket"]) if vsock else None,
                nics=[(net["mac"], "chardev", net["vhost_socket"]) for net in config.get("net", [])],
                shares=[(fs["socket"], fs["tag"]) for fs in config.get("fs", [])],
                drives=[(disk["path"], disk.get("readonly", False)) for disk in
                        config.get("disks", [])]), self.work_dir, self.on_end)
        self.state = "Running"

    def on_end(self, how):
        self.state = "Shutdown"
        self.guest.end()
        if self.config.get("vsock"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.config["vsock"]["socket"])
        if how != "guest-reset":
            os._exit(0 if how == "guest-shutdown" else 1)
        say("the VM reboots")
        try:
            self.boot()
        except Refused as refused:
            say(f"Error rebooting VM: {refused}")
            os._exit(1)


TUNSETIFF, IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x400454ca, 0x0002, 0x1000, 0x4000


def open_tap(name):
    """As Firecracker does; nobody else may have it open."""
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.ioctl(fd, TUNSETIFF,
                    struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
    except OSError as error:
        os.close(fd)
        raise Refused(400, "Cannot create network device. Open tap device failed: Error while "
                      f"creating ifreq structure: {error}") from error
    return fd


class Firecracker:
    """A request for each device; errors are objects."""

    api_name = "firecracker"
    prefix = ""

    def __init__(self, work_dir, boots):
        self.work_dir, self.boots = work_dir, boots
        self.seen, self.taps = {}, {}
        self.started = False
        self.guest = None

    def fault(self, text):
        return json.dumps({"fault_message": text}).encode()

    def tell(self, path):
        if path == "/":
            return {"app_name": "Firecracker", "id": "anonymous-instance", "vmm_version": "fake",
                    "state": "Running" if self.started else "Not started"}
        raise Refused(400, f"no {path}")

    def carry_out(self, path, body):
        if path == "/actions":
            return self.act(body["action_type"])
        if self.started:
            raise Refused(400, "The requested operation is not supported after starting the microVM.")
        if path == "/boot-source":
            check_file(body["kernel_image_path"])
            with open(body["kernel_image_path"], "rb") as kernel:
                if kernel.read(4) != b"\x7fELF":
                    raise Refused(400, "Kernel Loader: failed to load ELF kernel image")
        elif path.startswith("/drives/"):
            self.check_id(path, body["drive_id"])
            check_file(body["path_on_host"])
        elif path.startswith("/network-interfaces/"):
            self.check_id(path, body["iface_id"])
            if self.boots:
                self.taps[path] = open_tap(body["host_dev_name"])
        elif path == "/vsock":
            check_free(body["uds_path"])
        elif path != "/machine-config":
            raise Refused(400, f"the fake has no {path}")
        self.seen[path] = body
        return False

    def check_id(self, path, name):
        if path.rsplit("/", 1)[1] != name:
            raise Refused(400, "The id from the path does not match the id from the body!")

    def act(self, action):
        if action == "InstanceStart":
            if self.started:
                raise Refused(400, "The microVM is already running.")
            if "/boot-source" not in self.seen:
                raise Refused(400, "Cannot start microvm without kernel configuration.")
            if self.boots:
                self.boot()
            self.started = True
            return False
        if not self.started:
            raise Refused(400, "The requested operation is not supported before starting the microVM.")
        if action == "SendCtrlAltDel" and self.guest:
            self.guest.press_ctrl_alt_del()
            return False
        return action == "SendCtrlAltDel"

    def of_kind(self, prefix):
        return [(path, body) for path, body in self.seen.items() if path.startswith(prefix)]

    def boot(self):
        source, config = self.seen["/boot-source"], self.seen.get("/machine-config", {})
        vsock = self.seen.get("/vsock")
        self.guest = Guest(Machine(
            kernel=source["kernel_image_path"], initrd=source.get("initrd_path"),
            cmdline=source["boot_args"], cpus=config.get("vcpu_count", 1),
            memory_mib=config.get("mem_size_mib", 128),
            vsock=(vsock["guest_cid"], vsock["uds_path"]) if vsock else None,
            nics=[(body["guest_mac"], "fd", self.taps[path]) for path, body in
                  self.of_kind("/network-interfaces/")],
            drives=[(body["path_on_host"], body["is_read_only"]) for _, body in
                    self.of_kind("/drives/")]), self.work_dir, self.on_end)

    def on_end(self, how):
        if how == "guest-shutdown":
            say("the guest's processors are halted")
            return
        self.guest.end()
        os._exit(0 if how == "guest-reset" else 1)


def say(text):
    os.write(1, text.encode() + b"\n")


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection's requests, one after the other."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        vmm, path = self.server.vmm, self.path
        try:
            self.server.api.check_request("GET", path[len(vmm.prefix):], None)
            status, answer = 200, json.dumps(vmm.tell(path[len(vmm.prefix):])).encode()
        except Refused as refused:
            status, answer = refused.status, vmm.fault(str(refused))
        self.answer(status, answer)

    def answer(self, status, body):
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if body:
            self.wfile.write(body)

    def do_PUT(self):
        length = int(self.headers.get("Content-Length") or 0)
        text = self.rfile.read(length)
        vmm = self.server.vmm
        off = False
        status, answer = 204, b""
        try:
            if not self.path.startswith(vmm.prefix):
                raise Refused(404, f"no {self.path}")
            path = self.path[len(vmm.prefix):]
            body = json.loads(text) if text else None
            self.server.api.check_request("PUT", path, body)
            off = vmm.carry_out(path, body)
            say(f"PUT {path} {json.dumps(body, sort_keys=True)}")
        except Refused as refused:
            status, answer = refused.status, vmm.fault(str(refused))
        self.answer(status, answer)
        if off:
            say("the guest powers off")
            os._exit(0)

    def address_string(self):
        return "unix"

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def socket_and_vmm(words, boots):
    if len(words) == 2 and words[0] == "--api-socket" and words[1].startswith("path="):
        path = words[1].removeprefix("path=")
        return path, CloudHypervisor(os.path.dirname(path), boots)
    if len(words) == 2 and words[0] == "--api-sock":
        return words[1], Firecracker(os.path.dirname(words[1]), boots)
    sys.exit(f"error: unexpected arguments {words}")


def main():
    mode = os.environ.get("FAKE_VMM")
    path, vmm = socket_and_vmm(sys.argv[1:], mode == "boots")
    if mode == "crashes":
        os.kill(os.getpid(), signal.SIGSEGV)
    if mode == "never-listens":
        time.sleep(1000)
    server = Server(path, Handler)
    server.vmm, server.api = vmm, Api(vmm.api_name)
    if mode == "hangs":
        threading.Event().wait()
    server.serve_forever()


if __name__ == "__main__":
    main()
