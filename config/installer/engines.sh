# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154 # data, root, prefix, from, engines, restart, services: sluice-install's
#
# The engines that are told of the runtime. A daemon that has to be restarted for it has a file
# changed.ENGINE below the prefix from before its configuration changes until it was restarted.

readonly all_engines=(containerd crio podman)
readonly crio_dropin=/etc/crio/crio.conf.d/50-sluice.conf
readonly podman_dropin=/etc/containers/containers.conf.d/50-sluice.conf
readonly cni_program=/opt/cni/bin/sluice-cni

mark_changed() {
    touch "$(at "$prefix/changed.$1")"
}

# mark_if_different ENGINE PATH <CONTENT
mark_if_different() {
    cmp -s - "$(at "$2")" || mark_changed "$1"
}

engine_is_there() {
    local place
    for place in "/etc/$1" "/usr/bin/$1" "/usr/sbin/$1" "/usr/local/bin/$1"; do
        [[ ! -e $(at "$place") ]] || return 0
    done
    return 1
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

on_node() {
    if [[ $root == / ]]; then
        "$@"
    else
        nsenter --target 1 --mount -- "$@"
    fi
}

# A daemon that does not come back has its old configuration back instead.
restart_engine() {
    ! on_node systemctl restart "${services[$1]}" || return 0
    [[ $2 == install ]] || die "${services[$1]} does not start again: see its log"
    "unregister_$1"
    on_node systemctl restart "${services[$1]}" ||
        die "${services[$1]} does not start, nor did it without Sluice: see its log"
    die "${services[$1]} did not start with Sluice, which was taken out again: see its log"
}

# restart_changed install|uninstall
restart_changed() {
    local engine mark
    for engine in containerd crio; do
        mark=$(at "$prefix/changed.$engine")
        [[ -e $mark ]] || continue
        if [[ -z $restart ]]; then
            say "restart ${services[$engine]} for it to notice (or use --restart)"
        else
            restart_engine "$engine" "$1"
            rm "$mark"
        fi
    done
}
