# SPDX-License-Identifier: BSD-3-Clause
"""What the installer asks of a cluster's API server, over TLS as there."""

import http.server
import json
import os
import queue
import ssl
import subprocess
import threading


class NodeApi:
    """Answers every GET with the first of `answers` (status, object), the last of which goes on being
    the answer, and notes (path, Authorization) in `asked`. Watches are told of a deletion."""

    def __init__(self, lab):
        self.answers = [(200, {})]
        self.asked = []
        self.watches = {}  # path: what it is to be told
        self.account = lab.path("account")
        os.makedirs(self.account)
        key, certificate = lab.path("key.pem"), os.path.join(self.account, "ca.crt")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=api",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out",
                        certificate], check=True, capture_output=True)
        for name, text in (("token", "secret"), ("namespace", "sluice")):
            with open(os.path.join(self.account, name), "w", encoding="ascii") as file:
                file.write(text)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.port = self._server.server_port
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _handler(self):
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """One request."""

            def do_GET(self):  # the base class wants this name
                if "?watch=true" in self.path:
                    self.watch()
                    return
                api.asked.append((self.path, self.headers.get("Authorization")))
                status, document = api.answers.pop(0) if len(api.answers) > 1 else api.answers[0]
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(document).encode())

            def watch(self):
                events = api.watches.setdefault(self.path, queue.Queue())
                self.send_response(200)
                self.end_headers()
                for kind in iter(events.get, None):
                    event = {"type": kind, "object": {"kind": "DaemonSet"}}
                    self.wfile.write(json.dumps(event, separators=(",", ":")).encode() + b"\n")
                    self.wfile.flush()

            def log_message(self, *_):
                pass

        return Handler

    def delete(self):
        """As those see it who watch."""
        for events in self.watches.values():
            events.put("ADDED")
            events.put("DELETED")

    def env(self):
        return {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(self.port),
                "SLUICE_NODE_ACCOUNT": self.account, "SLUICE_DAEMONSET": "sluice-installer",
                "SLUICE_NODE_PAUSE": "0.02"}

    def begin(self, answers):
        """As one that nobody has asked yet."""
        self.answers, self.asked = answers, []
        for events in self.watches.values():
            events.put(None)
        self.watches = {}

    def close(self):
        self.begin(self.answers)
        self._server.shutdown()
        self._server.server_close()
