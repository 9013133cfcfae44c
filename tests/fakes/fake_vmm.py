#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Stands in for Cloud Hypervisor and Firecracker, which Debian does not package.

Started as they are (--api-socket path=SOCKET, or --api-sock SOCKET), it holds every request against
the description of the real one's interface (tests/data/api): what is not documented, has a field
that is not, lacks one or has one of another type is refused as they refuse it, and so is what they
refuse for its order or its contents. Then it plays the guest: it says on its stdout, the guest's
console, what it was told, and ends with status 0 when the power button is pressed.

FAKE_VMM=never-listens | hangs | crashes: what it does instead.
"""

import http.server
import json
import os
import re
import signal
import socketserver
import sys
import threading
import time

import yaml

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


class CloudHypervisor:
    """All of a machine in one request; errors are plain text."""

    api_name = "cloud-hypervisor"
    prefix = "/api/v1"

    def __init__(self):
        self.config = None
        self.booted = False

    def fault(self, text):
        return text.encode()

    def carry_out(self, path, body):
        if path == "/vm.create":
            self.create(body)
        elif path == "/vm.boot":
            if self.config is None:
                raise Refused(404, "The VM is not created")
            self.booted = True
        elif path == "/vm.power-button":
            if not self.booted:
                raise Refused(405, "The VM is not booted")
            return True
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
        self.config = config


class Firecracker:
    """A request for each device; errors are objects."""

    api_name = "firecracker"
    prefix = ""

    def __init__(self):
        self.seen = set()
        self.started = False

    def fault(self, text):
        return json.dumps({"fault_message": text}).encode()

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
        elif path not in ("/machine-config", "/vsock"):
            raise Refused(400, f"the fake has no {path}")
        self.seen.add(path)
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
            self.started = True
            return False
        if not self.started:
            raise Refused(400, "The requested operation is not supported before starting the microVM.")
        return action == "SendCtrlAltDel"


def say(text):
    os.write(1, text.encode() + b"\n")


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection's requests, one after the other."""

    protocol_version = "HTTP/1.1"

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
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
        if off:
            say("the guest powers off")
            os._exit(0)

    def address_string(self):
        return "unix"

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def socket_and_vmm(words):
    if len(words) == 2 and words[0] == "--api-socket" and words[1].startswith("path="):
        return words[1].removeprefix("path="), CloudHypervisor()
    if len(words) == 2 and words[0] == "--api-sock":
        return words[1], Firecracker()
    sys.exit(f"error: unexpected arguments {words}")


def main():
    path, vmm = socket_and_vmm(sys.argv[1:])
    mode = os.environ.get("FAKE_VMM")
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
