# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154 # root, prefix, from: sluice-install's
#
# The machine root and the programs on the node, below the prefix:
#
#   versions/ID/root   what VMs' containers have as their root: of the image
#   versions/ID/bin    programs for the node, which run with the libraries of that root
#   current            -> versions/ID
#   record             what was made (record.sh)
#
# ID is a digest of what is in the image, and a version that has its name is complete: it was copied
# under another one. A version that is in use (in_use.sh) stays.

readonly machine_dirs=(bin boot etc lib lib32 lib64 libx32 sbin usr)
readonly node_programs=(sluice-runtime sluice-cni sluice-vm sluicectl)

# Those of them that the image has.
image_dirs() {
    local dir
    for dir in "${machine_dirs[@]}"; do
        [[ ! -e $from/$dir && ! -L $from/$dir ]] || echo "$dir"
    done
}

# Whatever an engine puts into an image's /etc and the time it does so are not the image's.
machine_id() {
    local dirs
    mapfile -t dirs < <(image_dirs)
    (cd "$from" && find "${dirs[@]}" -xdev ! -path etc/hosts ! -path etc/hostname \
        ! -path etc/resolv.conf ! -path etc/mtab \
        \( -type d -printf '%p %m\n' -o -printf '%p %s %T@ %m %l\n' \)) |
        sort | sha256sum | cut -c 1-12
}

# /etc/resolv.conf and its like are mount points in a container.
copy_root() {
    local to=$1 dirs
    mapfile -t dirs < <(image_dirs)
    mkdir -p "$to/etc"
    tar -C "$from" --one-file-system --exclude=etc/{hosts,hostname,resolv.conf,mtab} -c "${dirs[@]}" |
        tar -C "$to" -xp
    touch "$to"/etc/{hosts,hostname,resolv.conf}
}

# Where a program of the image is, from its root.
program_in() {
    local dir
    for dir in usr/bin usr/sbin usr/lib/cni; do
        [[ ! -x $1/$dir/$2 ]] || {
            printf '%s' "$dir/$2"
            return 0
        }
    done
    return 1
}

# A program that is dynamic is run by the image's own loader: the node may have no such libraries.
write_program() {
    local machine=$1 path command
    local loader=("$machine"/root/lib64/ld-linux-*.so.* "$machine"/root/lib/ld-linux-*.so.*)
    local libraries=("$machine"/root/usr/lib/*-linux-gnu)
    path=$(program_in "$machine/root" "$2") || return 0
    command="\"\$here/$path\""
    if [[ -e ${loader[0]-} ]] && "${loader[0]}" --verify "$machine/root/$path" 2>/dev/null; then
        command="\"\$here${loader[0]#"$machine/root"}\" --library-path \\
    \"\$here${libraries[0]#"$machine/root"}\" $command"
    fi
    cat >"$machine/bin/$2" <<PROGRAM
#!/bin/sh
# Made by sluice-install.
here=\$(readlink -f "\$0")
here=\${here%/*/*}/root
exec $command "\$@"
PROGRAM
    chmod 755 "$machine/bin/$2"
}

# copy_machine ID: nothing of an image that is not one.
copy_machine() {
    local versions partial name
    versions=$(at "$prefix/versions")
    partial=$versions/.partial
    make_dir "$prefix/versions"
    [[ ! -d $versions/$1 ]] || return 0
    mkdir -p "$partial/bin"
    copy_root "$partial/root"
    for name in "${node_programs[@]}"; do
        write_program "$partial" "$name"
    done
    sync -f "$partial"
    mv -T "$partial" "$versions/$1"
}

switch_to() {
    local link
    link=$(at "$prefix/current")
    [[ $(readlink "$link") != "versions/$1" ]] || return 0
    ln -sfn "versions/$1" "$link.new"
    mv -T "$link.new" "$link"
}

# First out of the way, so that a version that has its name stays complete.
remove_tree() {
    local trash
    trash=$(at "$prefix/versions/.trash")
    [[ ! -e $1 ]] || mv -T "$1" "$trash"
    rm -rf --one-file-system "$trash"
}

remove_leftovers() {
    rm -rf --one-file-system "$(at "$prefix/versions/.partial")" "$(at "$prefix/versions/.trash")"
    rm -f "$(at "$prefix/current.new")"
}

# All versions but those named.
remove_versions() {
    local dir
    for dir in "$(at "$prefix/versions")"/*; do
        [[ " $* " == *" ${dir##*/} "* ]] || remove_tree "$dir"
    done
}

install_machine() {
    local id
    id=$(machine_id)
    remove_leftovers
    copy_machine "$id"
    switch_to "$id"
    # shellcheck disable=SC2046 # names are words
    remove_versions "$id" $(busy_versions "$id")
}
