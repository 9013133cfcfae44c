# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154 # data, root, prefix, from, engines: sluice-install's
#
# The engines that are told of the runtime.

readonly all_engines=(containerd crio podman)
readonly crio_dropin=/etc/crio/crio.conf.d/50-sluice.conf
readonly podman_dropin=/etc/containers/containers.conf.d/50-sluice.conf
readonly cni_program=/opt/cni/bin/sluice-cni

# By its program: a directory in /etc may be what a package that is gone has left. Where containerd is
# part of another program, its configuration was named.
engine_is_there() {
    first_of "$1" >/dev/null || [[ $1 == containerd && -n $containerd_named ]]
}

# Those that were asked for, or all that are there.
wanted_engines() {
    local engine
    for engine in "${all_engines[@]}"; do
        if [[ -n $engines ]]; then
            [[ ,$engines, != *",$engine,"* ]] || echo "$engine"
        else
            ! engine_is_there "$engine" || echo "$engine"
        fi
    done
}

first_of() {
    local name=$1 dir
    for dir in /usr/bin /usr/sbin /usr/local/bin /usr/local/sbin; do
        [[ ! -x $(at "$dir/$name") ]] || {
            printf '%s' "$dir/$name"
            return 0
        }
    done
    return 1
}

# What engines call, by the node's path.
runtime_program() {
    if [[ -n $from ]]; then
        printf '%s' "$prefix/current/bin/sluice-runtime"
    else
        first_of sluice-runtime
    fi
}

with_runtime_program() {
    sed "s|\"/usr/bin/sluice-runtime\"|\"$(runtime_program)\"|" "$1"
}

register_crio() {
    local text
    text=$(with_runtime_program "$data/engines/crio.conf")
    mark_if_different crio "$crio_dropin" <<<"$text"
    put_file file "$crio_dropin" 644 <<<"$text"
}

unregister_crio() {
    [[ -e $(at "$crio_dropin") ]] && is_noted "$crio_dropin" || return 0
    mark_changed crio
    rm "$(at "$crio_dropin")"
}

crio_is_registered() {
    [[ -e $(at "$crio_dropin") ]]
}

# One program, this one: podman would take the first of several that is there.
register_podman() {
    local line
    line="sluice-runtime = [\"$(runtime_program)\"]"
    sed "s|^sluice-runtime = .*|$line|" "$data/containers.conf.d/50-sluice.conf" |
        put_file file "$podman_dropin" 644
}

unregister_podman() {
    ! is_noted "$podman_dropin" || rm -f "$(at "$podman_dropin")"
}

podman_is_registered() {
    [[ -e $(at "$podman_dropin") ]]
}

# Plugins are looked for in one directory: this one leads to the version that is current.
install_cni() {
    local program=$prefix/current/bin/sluice-cni
    if [[ -z $from ]]; then
        program=$(first_of sluice-cni) || return 0
    elif [[ ! -e $(at "$program") ]]; then
        return 0
    fi
    printf '#!/bin/sh\n# Made by sluice-install.\nexec "%s" "$@"\n' "$program" |
        put_file file "$cni_program" 755
}
