# SPDX-License-Identifier: BSD-3-Clause
"""The one thing that the installer asks of a cluster's API server, over TLS as there."""

import http.server
import json
import os
import ssl
import subprocess
import threading


class NodeApi:
    """Answers every GET with `answer` (status, object) and notes (path, Authorization) in `asked`."""

    def __init__(self, lab):
        self.answer = (200, {})
        self.asked = []
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
                api.asked.append((self.path, self.headers.get("Authorization")))
                status, document = api.answer
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(document).encode())

            def log_message(self, *_):
                pass

        return Handler

    def env(self):
        return {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(self.port),
                "SLUICE_NODE_ACCOUNT": self.account, "SLUICE_DAEMONSET": "sluice-installer"}

    def close(self):
        self._server.shutdown()
        self._server.server_close()
