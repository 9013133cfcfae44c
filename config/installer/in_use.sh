# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154 # root, prefix: sluice-install's
#
# What of ours somebody still needs:
#
#   a version     by a VM that runs from its root, which is seen in its mounts
#   the program   by an engine that made a container with it, a VM or one that was passed on: it calls
#                 it by its path to end and remove that, long after its configuration named it last
#   the plugin    by a network of the administrator's: no pod that is in it could be removed any more
#
# Whoever calls it says so: conmon (podman, CRI-O) on its command line; containerd's shim in the bundles
# of its containers, one of which is its working directory; CRI-O has removed a container when its
# state is gone from the runtime's root.

readonly crio_state=/run/sluice-runtime

# By the node's path: versions change below it.
called_program() {
    printf '%s' "$prefix/current/bin/sluice-runtime"
}

# Whether a process has some of it mounted.
is_mounted() {
    grep -qsF "/versions/$1/" /proc/[0-9]*/mountinfo
}

is_on_a_command_line() {
    local of_processes=(/proc/[0-9]*/cmdline)
    grep -qszxF -- "$(called_program)" "${of_processes[@]}"
}

is_in_a_bundle() {
    local shims shim
    mapfile -t shims < <(grep -lsx containerd-shim /proc/[0-9]*/comm) # as the kernel cuts it
    for shim in "${shims[@]}"; do
        ! grep -qsF "\"$(called_program)\"" /dev/null "${shim%/comm}"/cwd/../*/options.json || return 0
    done
    return 1
}

crio_needs_us() {
    local containers
    containers=("$(at "$crio_state")"/*/)
    ((${#containers[@]}))
}

# The files that name it.
networks_with_plugin() {
    grep -lsE '"type"[[:space:]]*:[[:space:]]*"sluice-cni"' /dev/null "$(at /etc/cni/net.d)"/* || true
}

# busy_versions [NAME]: those in use but that one, and says so.
busy_versions() {
    local dir name current network user
    network=$(networks_with_plugin | head -n 1)
    current=$(readlink "$(at "$prefix/current")" || true)
    for dir in "$(at "$prefix/versions")"/*; do
        name=${dir##*/}
        user=
        if [[ $name == "${1-}" ]]; then
            continue
        elif is_mounted "$name"; then
            user="running VMs"
        elif [[ $current == "versions/$name" ]] && program_is_needed; then
            user="containers that it was called for"
        elif [[ $current == "versions/$name" && -n $network ]]; then
            user="${network#"${root%/}"}, which names sluice-cni"
        fi
        [[ -n $user ]] || continue
        say "$prefix/versions/$name is in use by $user: it stays for now"
        echo "$name"
    done
}

program_is_needed() {
    is_on_a_command_line || is_in_a_bundle || crio_needs_us
}
