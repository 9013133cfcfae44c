# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154 # root, prefix: sluice-install's
#
# What was made on the node, so that it can be taken away again: a file `record` below the prefix, one
# line each, written before the thing itself is, so that nothing is left of an interrupted run either:
#
#   dir PATH           removed if it is empty
#   file PATH          ours: removed
#   config SUM PATH    an administrator's as soon as it has changed: removed if it has not
#   temp PATH          becomes another file in one step
#   option KEY VALUE   what install was told and uninstall has to know
#
# Paths are the node's, below $root here. Directories of the prefix itself are in machine.sh.

# Where the node's PATH is from here.
at() {
    printf '%s%s' "${root%/}" "$1"
}

# The file that a path names: links are the node's.
target_of() {
    local path=$1 to n
    for ((n = 0; n < 8; n++)); do
        [[ -L $(at "$path") ]] || break
        to=$(readlink "$(at "$path")")
        [[ $to == /* ]] || to=$(dirname "$path")/$to
        path=$to
    done
    printf '%s' "$path"
}

record_path() {
    at "$prefix/record"
}

note() {
    grep -qsxF "$1" "$(record_path)" || printf '%s\n' "$1" >>"$(record_path)"
}

is_noted() {
    [[ -e $(record_path) ]] &&
        awk -v path="$1" '/^(file|config) / && $NF == path { found = 1 } END { exit !found }' \
            "$(record_path)"
}

make_dir() {
    [[ ! -d $(at "$1") ]] || return 0
    make_dir "$(dirname "$1")"
    note "dir $1"
    mkdir "$(at "$1")"
}

sum_of() {
    sha256sum <"$1" | cut -d ' ' -f 1
}

# Beside the file's directory: CRI-O reads whatever is in one of its own.
temp_of() {
    local dir
    dir=$(dirname "$(dirname "$1")")
    printf '%s/.sluice-install' "${dir%/}"
}

# put_file KIND PATH MODE <CONTENT: makes or replaces a file of ours; somebody else's is not touched.
put_file() {
    local kind=$1 path=$2 temp
    make_dir "$(dirname "$path")"
    temp=$(temp_of "$path")
    note "temp $temp"
    cat >"$(at "$temp")"
    if [[ -e $(at "$path") ]] && cmp -s "$(at "$temp")" "$(at "$path")"; then
        rm "$(at "$temp")"
        return 0
    fi
    if [[ -e $(at "$path") ]] && ! is_noted "$path"; then
        rm "$(at "$temp")"
        die "$path is there and not of sluice-install: remove or rename it"
    fi
    chmod "$3" "$(at "$temp")"
    [[ $kind == file ]] || kind="config $(sum_of "$(at "$temp")")"
    note "$kind $path"
    mv -T "$(at "$temp")" "$(at "$path")"
}

# replace_file PATH <CONTENT: somebody else's file, which keeps its owner and mode.
replace_file() {
    local path temp
    path=$(target_of "$1")
    temp=$(dirname "$path")/.sluice-install
    note "temp $temp"
    [[ ! -e $(at "$path") ]] || cp -a "$(at "$path")" "$(at "$temp")"
    cat >"$(at "$temp")"
    mv -T "$(at "$temp")" "$(at "$path")"
}

remove_temps() {
    local kind path
    [[ -e $(record_path) ]] || return 0
    while read -r kind path; do
        [[ $kind != temp ]] || rm -f "$(at "$path")"
    done <"$(record_path)"
}

remove_noted() {
    local kind path sum
    read -r kind path <<<"$1"
    case $kind in
    file) rm -f "$(at "$path")" ;;
    dir) rmdir "$(at "$path")" 2>/dev/null || true ;;
    config)
        read -r sum path <<<"$path"
        if [[ -e $(at "$path") && $(sum_of "$(at "$path")") == "$sum" ]]; then
            rm "$(at "$path")"
        fi
        ;;
    esac
}

# Everything that the record names, the last first.
remove_made() {
    local lines i
    [[ -e $(record_path) ]] || return 0
    remove_temps
    mapfile -t lines <"$(record_path)"
    for ((i = ${#lines[@]} - 1; i >= 0; i--)); do
        remove_noted "${lines[i]}"
    done
    sed -n 's/^config [0-9a-f]* //p' "$(record_path)" | sort -u | while read -r path; do
        [[ ! -e $(at "$path") ]] || say "$path has been changed: it stays"
    done
}
