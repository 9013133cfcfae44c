# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154 # root, prefix, restart, services, containerd_config: sluice-install's
#
# Daemons read their configuration when they start. Whatever becomes of us meanwhile (a restart may take
# us along, and our pod is started again), each change is one restart. Below the prefix there are:
#
#   changed.ENGINE   from before its configuration changes until it has taken that up: empty, or
#                    which of its runs (systemd's invocation) was to end by the restart
#   refused.ENGINE   a digest of what it did not start with: this is not tried again

mark_changed() {
    : >"$(at "$prefix/changed.$1")"
}

# mark_if_different ENGINE PATH <CONTENT
mark_if_different() {
    cmp -s - "$(at "$2")" || mark_changed "$1"
}

on_node() {
    if [[ $root == / ]]; then
        "$@"
    else
        nsenter --target 1 --mount -- "$@"
    fi
}

# Fails if it does not start.
restart_service() {
    local service=${services[$1]} mark run
    mark=$(at "$prefix/changed.$1")
    run=$(on_node systemctl show --property InvocationID --value "$service") || run=
    [[ ! -s $mark || $(<"$mark") == "$run" ]] || return 0
    printf '%s' "$run" >"$mark"
    on_node systemctl restart "$service"
}

# What an engine has read when it starts, and what that leads to.
refusable() {
    local file
    readlink "$(at "$prefix/current")" || true
    case $1 in
    containerd) read_content && all_content && cat "$(at "$containerd_dropin")" ;;
    crio) for file in "$(at /etc/crio)"/crio.conf "$(at /etc/crio)"/crio.conf.d/*; do cat "$file"; done ;;
    esac 2>/dev/null || true
}

# Has it take up what is there now; one that does not run does so when it is started. Fails, and says
# why in $trouble.
take_up() {
    local state
    state=$(on_node systemctl is-active "${services[$1]}" || true)
    # Such a one has not taken it up, whatever it was started with.
    [[ $state != failed && $state != activating ]] || mark_changed "$1"
    if [[ $state == inactive ]]; then
        say "${services[$1]} does not run: nothing to restart"
    elif ! restart_service "$1"; then
        trouble="did not start"
    elif [[ $1 == containerd ]] && ! cri_is_loaded; then
        trouble="started without its plugin cri"
    fi
    [[ -z $trouble ]] || return 1
    rm -f "$(at "$prefix/changed.$1")"
}

# A daemon that does not come back as it was has its old configuration back instead.
restart_engine() {
    local service=${services[$1]} refused digest trouble='' first
    refused=$(at "$prefix/refused.$1")
    digest=$(refusable "$1" | sha256sum)
    if [[ $2 == install && -e $refused && $(<"$refused") == "$digest" ]]; then
        "unregister_$1"
        rm -f "$(at "$prefix/changed.$1")"
        die "$service did not come back with this before: see its log" \
            "(to try again, remove $prefix/refused.$1)"
    fi
    ! take_up "$1" || return 0
    [[ $2 == install ]] || die "$service $trouble: see its log"
    printf '%s\n' "$digest" >"$refused"
    "unregister_$1"
    first=$trouble trouble=''
    take_up "$1" || die "$service $trouble, nor was that due to Sluice, which was taken out: see its log"
    die "$service $first with Sluice, which was taken out again: see its log"
}

# restart_changed install|uninstall
restart_changed() {
    local engine
    for engine in containerd crio; do
        [[ -e $(at "$prefix/changed.$engine") ]] || continue
        if [[ -z $restart ]]; then
            say "restart ${services[$engine]} for it to notice (or use --restart)"
        else
            restart_engine "$engine" "$1"
        fi
    done
}

# --- containerd's plugin for kubelets

# The node's program that asks containerd; its words.
ctr_words() {
    first_of ctr && return 0
    ! first_of k3s || {
        echo " ctr"
        return 0
    }
    [[ ! -x $(at /var/lib/rancher/rke2/bin/ctr) ]] || echo /var/lib/rancher/rke2/bin/ctr
}

containerd_socket() {
    local address=/run/containerd/containerd.sock said
    [[ $containerd_config != /var/lib/rancher/* ]] || address=/run/k3s/containerd/containerd.sock
    said=$(read_content && all_content | awk '
        /^[ \t]*\[/ { on = /^[ \t]*\[(grpc|plugins\..*server\.v1\.grpc.)\]/ }
        on && /^[ \t]*address[ \t]*=/ { print }' | sed -nE "s/^[^\"']*[\"']([^\"']+)[\"'].*/\1/p")
    printf '%s' "${said:-$address}"
}

# containerd starts without a plugin that cannot take its configuration, and no pod does any more. True
# as well if it cannot be asked, or has no such plugin.
cri_is_loaded() {
    local ctr plugins n broken='^io\.containerd\.(grpc\.v1 +cri|cri\.v1) .* error *$'
    read -ra ctr < <(ctr_words && echo) || true
    for ((n = 0; n < 20 && ${#ctr[@]}; n++)); do
        ((n == 0)) || sleep 0.5
        plugins=$(on_node "${ctr[@]}" --address "$(containerd_socket)" --timeout 5s plugins ls \
            2>/dev/null) || continue
        ! grep -qE "$broken" <<<"$plugins"
        return
    done
    say "cannot ask ${services[containerd]} whether its plugin cri is loaded: see \"ctr plugins ls\""
}
