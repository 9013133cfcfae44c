#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Are the manifests of config/kubernetes and README.md what Kubernetes and sluice-vm take?

    manifests.py BUILD_DIR

Rules of our own for the kinds in use: fields that are needed and no others, names that are unique and
lead somewhere, annotations that are settings with values which sluice-vm accepts.
"""

import glob
import os
import re
import subprocess
import sys
import tempfile

import yaml

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BASE = os.path.join(ROOT, "config", "kubernetes")
PREFIX = "sluice.dev/"

# kind: apiVersion, whether it has a namespace, fields beside the metadata (* needed)
KINDS = {
    "Namespace": ("v1", ""),
    "ServiceAccount": ("v1", ""),
    "ConfigMap": ("v1", "data*"),
    "Secret": ("v1", "stringData*"),
    "Service": ("v1", "spec*"),
    "Pod": ("v1", "spec*"),
    "PersistentVolumeClaim": ("v1", "spec*"),
    "DaemonSet": ("apps/v1", "spec*"),
    "ResourceQuota": ("v1", "spec*"),
    "Role": ("rbac.authorization.k8s.io/v1", "rules*"),
    "RoleBinding": ("rbac.authorization.k8s.io/v1", "roleRef* subjects*"),
    "RuntimeClass": ("node.k8s.io/v1", "handler* overhead scheduling"),
    "Kustomization": ("kustomize.config.k8s.io/v1beta1", "resources* images"),
}
# path: its fields (* needed); a list's items are meant
FIELDS = {
    "metadata": "name* namespace labels annotations",
    "pod": "containers* initContainers volumes runtimeClassName restartPolicy serviceAccountName "
           "nodeSelector tolerations priorityClassName hostPID terminationGracePeriodSeconds "
           "securityContext enableServiceLinks",
    "pod.securityContext": "sysctls",
    "pod.volumes": "name* configMap secret emptyDir hostPath persistentVolumeClaim downwardAPI",
    "container": "name* image* imagePullPolicy command args env ports volumeMounts resources* "
                 "readinessProbe securityContext",
    "container.ports": "name* containerPort*",
    "container.volumeMounts": "name* mountPath* subPath readOnly mountPropagation",
    "container.resources": "requests limits*",
    "container.env": "name* value valueFrom",
    "container.securityContext": "privileged capabilities seccompProfile",
    "container.readinessProbe": "httpGet tcpSocket exec initialDelaySeconds periodSeconds "
                                "failureThreshold timeoutSeconds",
    "daemonset": "selector* template* updateStrategy* minReadySeconds*",
    "daemonset.updateStrategy": "type* rollingUpdate*",
    "quota": "hard* scopeSelector",
    "service": "selector* ports*",
    "service.ports": "name* port* targetPort",
    "role.rules": "apiGroups* resources* resourceNames verbs*",
    "claim": "accessModes* resources*",
    "runtimeclass.overhead": "podFixed*",
    "runtimeclass.scheduling": "nodeSelector*",
}
WITHOUT_NAMESPACE = {"Namespace", "RuntimeClass"}
# Of pods that look after a node: who waits for whom, and what makes it one.
NODE_POD = {"hostPID": True, "priorityClassName": "system-node-critical",
            "tolerations": [{"operator": "Exists"}]}
# Whom a verb says nothing of but what was granted by name.
BY_NAME = {"get", "watch", "update", "patch", "delete"}
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
QUANTITY = re.compile(r"(\d+)(m|Ki|Mi|Gi)?$")
UNITS = {None: 1000, "m": 1, "Ki": 1000 << 10, "Mi": 1000 << 20, "Gi": 1000 << 30}

# What is said of containers beside the VM, or to sluice-runtime: no settings of `sluice-vm doctor`.
RUNTIME_KEYS = {
    "vm": re.compile(r"true|" + LABEL.pattern),
    "volumes": re.compile(r"(/[^=,]+=(nfs|optional|nfs\+optional)(,(?=/)|$))+$"),
}


class Checker:
    """Collects what is wrong."""

    def __init__(self, build):
        self.program = os.path.join(build, "launcher", "sluice-vm")
        self.problems = []
        self.where = ""

    def expect(self, holds, problem):
        if not holds:
            self.problems.append(f"{self.where}: {problem}")

    def fields(self, table, path, value):
        for item in value if isinstance(value, list) else [value]:
            words = table.split()
            known = {word.rstrip("*") for word in words}
            needed = {word.rstrip("*") for word in words if word.endswith("*")}
            self.expect(isinstance(item, dict), f"{path} is no object")
            if isinstance(item, dict):
                self.expect(set(item) <= known, f"{path}: unknown: {sorted(set(item) - known)}")
                self.expect(needed <= set(item), f"{path}: missing: {sorted(needed - set(item))}")

    def nested(self, kind, value):
        """The fields of `value` and those below it that the table knows."""
        self.fields(FIELDS[kind], kind, value)
        for path, table in FIELDS.items():
            parent, _, field = path.rpartition(".")
            if parent == kind and field in value:
                self.fields(table, path, value[field])

    def unique(self, values, what):
        values = list(values)
        self.expect(len(set(values)) == len(values), f"{what} are not unique: {values}")

    def amount(self, text):
        match = QUANTITY.match(str(text))
        self.expect(match, f"not a quantity: {text}")
        return int(match[1]) * UNITS[match[2]] if match else 0

    # --- documents

    def document(self, doc, others):
        kind = doc.get("kind")
        self.where = f"{self.where.split(':')[0]}: {kind} {doc.get('metadata', {}).get('name', '')}"
        self.expect(kind in KINDS, "unknown kind")
        if kind not in KINDS:
            return
        version, fields = KINDS[kind]
        self.expect(doc.get("apiVersion") == version, f"apiVersion is not {version}")
        if kind == "Kustomization":
            self.fields("apiVersion* kind* " + fields, kind, doc)
            return
        self.fields("apiVersion* kind* metadata* " + fields, kind, doc)
        self.fields(FIELDS["metadata"], "metadata", doc["metadata"])
        self.expect(LABEL.match(doc["metadata"]["name"]), "its name is not one")
        check = getattr(self, "check_" + kind.lower(), None)
        if check:
            check(doc, others)

    def check_daemonset(self, doc, others):
        spec = doc["spec"]
        self.nested("daemonset", spec)
        labels = spec["template"]["metadata"]["labels"]
        self.expect(spec["selector"]["matchLabels"].items() <= labels.items(),
                    "its selector does not match its pods")
        pod = spec["template"]["spec"]
        self.pod(spec["template"]["metadata"], pod, others)
        self.expect(NODE_POD.items() <= pod.items(), f"its pods have not {NODE_POD}")
        self.expect(spec["updateStrategy"]["rollingUpdate"] == {"maxUnavailable": 1} and
                    spec["minReadySeconds"] > 0, "an update is not one node at a time")
        for container in pod["containers"]:
            self.expect("readinessProbe" in container, "an update does not wait for a node")
            self.expect("requests" in container["resources"], "it asks for nothing")
        quotas = [d["spec"] for d in others if d["kind"] == "ResourceQuota"]
        self.expect(any(pod["priorityClassName"] in expression["values"] for quota in quotas
                        for expression in quota["scopeSelector"]["matchExpressions"]),
                    f"no quota for {pod['priorityClassName']}, which some clusters want")

    def check_resourcequota(self, doc, _):
        self.nested("quota", doc["spec"])
        for text in doc["spec"]["hard"].values():
            self.amount(text)

    def check_pod(self, doc, others):
        self.pod(doc["metadata"], doc["spec"], others)

    def check_service(self, doc, others):
        self.nested("service", doc["spec"])
        pods = [d for d in others if d["kind"] == "Pod" and doc["spec"]["selector"].items() <=
                d["metadata"].get("labels", {}).items()]
        self.expect(pods, "selects no pod")
        names = {port["name"] for pod in pods for container in pod["spec"]["containers"]
                 for port in container.get("ports", [])}
        for port in doc["spec"]["ports"]:
            self.expect(port["targetPort"] in names, f"no port {port['targetPort']} in its pods")

    def check_role(self, doc, _):
        self.fields(FIELDS["role.rules"], "rules", doc["rules"])
        for rule in doc["rules"]:
            self.expect("*" not in sum(rule.values(), []), "everything is too much")
            self.expect("resourceNames" not in rule or set(rule["verbs"]) <= BY_NAME,
                        f"{rule['verbs']}: not all go by a resource's name")

    def check_rolebinding(self, doc, others):
        names = [(d["kind"], d["metadata"]["name"]) for d in others]
        for ref in [doc["roleRef"], *doc["subjects"]]:
            self.expect((ref["kind"], ref["name"]) in names, f"no {ref['kind']} {ref['name']}")

    def check_persistentvolumeclaim(self, doc, _):
        self.nested("claim", doc["spec"])
        self.amount(doc["spec"]["resources"]["requests"]["storage"])

    def check_runtimeclass(self, doc, _):
        self.nested("runtimeclass.overhead", doc["overhead"])
        self.nested("runtimeclass.scheduling", doc["scheduling"])
        with open(os.path.join(ROOT, "config", "runtime_settings.h"), encoding="utf-8") as file:
            overhead = re.search(r'"overhead", (\d+)', file.read())[1]
        self.expect(doc["overhead"]["podFixed"]["memory"] == f"{overhead}Mi",
                    f"the runtime's overhead is {overhead} MiB")

    # --- pods

    def pod(self, metadata, spec, others):
        self.nested("pod", spec)
        containers = spec["containers"] + spec.get("initContainers", [])
        volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
        self.unique((c["name"] for c in containers), "containers' names")
        self.unique((v["name"] for v in spec.get("volumes", [])), "volumes' names")
        self.unique((p["name"] for c in containers for p in c.get("ports", [])), "ports' names")
        for container in containers:
            self.container(container, volumes, container in spec["containers"], others)
        used = {m["name"] for c in containers for m in c.get("volumeMounts", [])}
        self.expect(used == set(volumes), f"volumes nobody mounts: {set(volumes) - used}")
        for volume in volumes.values():
            self.expect(len(volume) == 2, f"volume {volume['name']} has not one source")
            self.volume(volume, others)
        self.annotations(metadata.get("annotations", {}), spec)

    def volume(self, volume, others):
        for source, kind, field in (("configMap", "ConfigMap", "name"),
                                    ("secret", "Secret", "secretName"),
                                    ("persistentVolumeClaim", "PersistentVolumeClaim", "claimName")):
            if source in volume:
                self.refers(kind, volume[source][field], others)

    def refers(self, kind, name, others):
        self.expect(any(d["kind"] == kind and d["metadata"]["name"] == name for d in others),
                    f"no {kind} {name} in the file")

    def container(self, container, volumes, runs, others):
        # An init container is over before the VM needs what there is.
        self.nested("container", container if runs else {"resources": {"limits": {}}, **container})
        name = container["name"]
        self.expect(LABEL.match(name), f"{name} is no container's name")
        self.expect(container["image"] == "sluice" or
                    re.search(r"[^/]:[\w.-]+$", container["image"]), f"{name}: image has no tag")
        self.unique((m["mountPath"] for m in container.get("volumeMounts", [])), "mount paths")
        for mount in container.get("volumeMounts", []):
            self.expect(mount["name"] in volumes, f"{name}: no volume {mount['name']}")
            self.expect(mount["mountPath"].startswith("/"), f"{name}: {mount['mountPath']}")
        for port in container.get("ports", []):
            self.expect(len(port["name"]) <= 15 and 0 < port["containerPort"] < 65536,
                        f"{name}: port {port}")
        self.unique((e["name"] for e in container.get("env", [])), "variables")
        for variable in container.get("env", []):
            self.expect(("value" in variable) != ("valueFrom" in variable), f"{variable}")
            secret = variable.get("valueFrom", {}).get("secretKeyRef")
            if secret:
                self.refers("Secret", secret["name"], others)
        self.resources(name, container.get("resources", {}))
        probe = container.get("readinessProbe", {})
        self.expect(not probe or len({"httpGet", "tcpSocket", "exec"} & set(probe)) == 1,
                    f"{name}: a probe asks in one way")
        for way in ("httpGet", "tcpSocket"):
            wanted = probe.get(way, {}).get("port")
            self.expect(wanted is None or wanted in [p["name"] for p in container["ports"]],
                        f"{name}: the probe's port {wanted} is none")
        self.expect(not probe or probe.get("timeoutSeconds", 1) <= probe.get("periodSeconds", 10),
                    f"{name}: a probe takes longer than until the next")

    def resources(self, name, resources):
        limits = resources.get("limits", {})
        for what, text in {**resources.get("requests", {}), **limits}.items():
            self.amount(text)
            if what in limits and what in resources.get("requests", {}):
                self.expect(self.amount(resources["requests"][what]) <= self.amount(limits[what]),
                            f"{name}: requests more {what} than its limit")

    # --- annotations

    def annotations(self, annotations, spec):
        ours = {key[len(PREFIX):]: value for key, value in annotations.items()
                if key.startswith(PREFIX)}
        self.expect(all(isinstance(value, str) for value in annotations.values()),
                    "an annotation's value is not a string")
        self.expect(all(len(key) <= 63 for key in ours), "a key is too long")
        wanted = ours.get("vm")
        names = [c["name"] for c in spec["containers"]]
        self.expect((wanted is not None) == (spec.get("runtimeClassName") == "sluice"),
                    "sluice.dev/vm and runtimeClassName go together")
        self.expect(wanted is None or wanted in names or (wanted == "true" and len(names) == 1),
                    f"sluice.dev/vm: {wanted} is none of {names}")
        settings = {}
        for key, value in ours.items():
            if key in RUNTIME_KEYS:
                self.expect(RUNTIME_KEYS[key].match(value), f"{PREFIX}{key}: {value}")
            else:
                settings[key] = value
        self.settings(settings)
        self.fits(settings, spec, wanted)
        for volume in ours.get("volumes", "").split(",") if "volumes" in ours else []:
            mounts = [m["mountPath"] for c in spec["containers"] if c["name"] == wanted
                      for m in c.get("volumeMounts", [])]
            self.expect(volume.split("=")[0] in mounts, f"nothing is mounted at {volume}")

    def settings(self, settings):
        """As the downward API would write them, to the program that they are for."""
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
            for key, value in settings.items():
                quoted = value.replace("\\", "\\\\").replace('"', '\\"')
                file.write(f'{PREFIX}{key}="{quoted}"\n')
            file.flush()
            done = subprocess.run([self.program, "doctor", f"--annotations-file={file.name}"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                  check=False)
        self.expect(done.returncode in (0, 1), done.stderr.strip() or f"exit {done.returncode}")

    def fits(self, settings, spec, wanted):
        """The guest into the container's limits."""
        limits = next((c["resources"].get("limits", {}) for c in spec["containers"]
                       if c["name"] == wanted), {})
        if "memory" in settings and "memory" in limits:
            self.expect(self.amount(settings["memory"] + "Mi") < self.amount(limits["memory"]),
                        "the guest's memory is all of the container's")
        if "cpus" in settings and "cpu" in limits:
            self.expect(self.amount(settings["cpus"]) < self.amount(limits["cpu"]),
                        "the guest's processors leave the switch none")


def load_readme():
    """What README.md shows."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        shown = re.findall(r"^```yaml\n(.*?)^```", file.read(), flags=re.M | re.S)
    return [doc for text in shown for doc in yaml.safe_load_all(text) if doc]


def load(path):
    with open(path, encoding="utf-8") as file:
        return [doc for doc in yaml.safe_load_all(file) if doc]


def check_base(checker):
    """The kustomization lists all there is, and what it says of images and nodes agrees."""
    checker.where = "kustomization.yaml"
    kustomization = load(os.path.join(BASE, "kustomization.yaml"))[0]
    there = {os.path.basename(path) for path in glob.glob(os.path.join(BASE, "*.yaml"))}
    checker.expect(set(kustomization["resources"]) == there - {"kustomization.yaml"},
                   f"resources are not the files that there are: {sorted(there)}")
    docs = [doc for name in kustomization["resources"] for doc in load(os.path.join(BASE, name))]
    by_kind = {doc["kind"]: doc for doc in docs}
    pod = by_kind["DaemonSet"]["spec"]["template"]["spec"]
    checker.expect(pod["serviceAccountName"] == by_kind["ServiceAccount"]["metadata"]["name"],
                   "the DaemonSet's account is none")
    checker.expect(by_kind["RuntimeClass"]["scheduling"]["nodeSelector"] == pod["nodeSelector"],
                   "the RuntimeClass has other nodes than the installer")
    checker.expect(by_kind["Role"]["rules"][0]["resourceNames"] ==
                   [by_kind["DaemonSet"]["metadata"]["name"]] ==
                   [e["value"] for e in pod["containers"][0]["env"]
                    if e["name"] == "SLUICE_DAEMONSET"], "the DaemonSet may not ask about itself")
    for doc in docs:
        wanted = None if doc["kind"] in WITHOUT_NAMESPACE else by_kind["Namespace"]["metadata"]["name"]
        checker.expect(doc["metadata"].get("namespace") == wanted,
                       f"{doc['kind']}: its namespace is not {wanted}")
    check_questions(checker, by_kind["Role"])
    with open(os.path.join(ROOT, "meson.build"), encoding="utf-8") as file:
        version = re.search(r"version: '([\d.]+)'", file.read())[1]
    image = kustomization["images"][0]
    checker.expect((image["name"], image["newTag"]) == (pod["containers"][0]["image"], version),
                   f"the image is not that of version {version}")
    return image["newName"].rsplit("/", 1)[0], version


def check_questions(checker, role):
    """What the installer asks the API server, it may."""
    with open(os.path.join(ROOT, "config", "installer", "sluice-node"), encoding="utf-8") as file:
        text = file.read()
    asked = {verb for verb, words in (("get", 'ask_api "/$SLUICE_DAEMONSET"'),
                                      ("watch", '?watch=true&')) if words in text}
    checker.expect(set(role["rules"][0]["verbs"]) == asked, f"it asks: {sorted(asked)}")


def check_images(checker, docs, registry, version):
    for doc in docs:
        for container in doc.get("spec", {}).get("containers", []) if doc["kind"] == "Pod" else []:
            checker.expect(not container["image"].startswith(registry) or
                           container["image"].endswith(":" + version),
                           f"{container['image']} is not of version {version}")


def main():
    checker = Checker(sys.argv[1])
    registry, version = check_base(checker)
    paths = glob.glob(os.path.join(BASE, "*.yaml")) + glob.glob(os.path.join(BASE, "*", "*.yaml"))
    for path in sorted(paths):
        docs = load(path)
        for doc in docs:
            checker.where = os.path.relpath(path, BASE)
            checker.document(doc, docs)
        check_images(checker, docs, registry, version)
    for doc in load_readme():
        checker.where = "README.md"
        checker.document(doc, [doc])
    print("\n".join(checker.problems))
    return 1 if checker.problems else 0


if __name__ == "__main__":
    sys.exit(main())
