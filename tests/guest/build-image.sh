#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Packs the guest: DIR/uml.cpio and DIR/cloud.cpio, one initramfs per kernel that fetch.sh brought.
# Both hold the same small system: busybox, dash (busybox's own shell would run its small ip instead of
# the real one), the network tools the tests run (copied from this
# machine together with their shared libraries), our own test tools, the modules of that kernel
# that a network test needs, and the init script beside this file.
#
# The archives are not compressed: unpacking would cost more than reading 20 MB from the page cache.
# They are packed again only when something that goes into them has changed.
set -euo pipefail

usage="usage: build-image.sh DIR TOOLS_DIR"
dir=${1:?$usage}
tools=${2:?$usage}
here=$(cd "$(dirname "$0")" && pwd)

programs=(/usr/bin/iperf3 /usr/sbin/ip /usr/sbin/ethtool /usr/bin/sha256sum /usr/bin/flock /bin/dash)
for tool in raw_frames tcp_pump udp_gso udp_ping udp_stream vsock_stream; do
    [[ -x $tools/$tool ]] || { echo "$tools/$tool is missing: run ./dev build" >&2; exit 1; }
    programs+=("$tools/$tool")
done
modules=(virtio_net vxlan 8021q virtio_pci ipv6 virtiofs nfs nfsv4 vsock vmw_vsock_virtio_transport)

libraries() {
    ldd "${programs[@]}" | awk '$2 == "=>" { print $3 } $1 ~ /^\// && NF == 2 { print $1 }' |
        grep -v ':$' | sort -u
}

# copy_modules MODULES_DIR ROOT: the wanted modules with all they depend on. One that is built into
# the kernel has no file and needs none.
copy_modules() {
    local version lib=$1 root=$2 name file
    version=$(basename "$lib")
    for name in "${modules[@]}"; do
        { awk -v name="/$name.ko:" 'index($1, name) { sub(":", ""); print }' "$lib/modules.dep"; } |
            tr ' ' '\n'
    done | sort -u | while read -r file; do
        [[ -n $file ]] || continue
        install -D -m 644 "$lib/$file" "$root/lib/modules/$version/$file"
    done
    cp "$lib"/modules.{order,builtin,builtin.modinfo} "$root/lib/modules/$version/"
    depmod -b "$root" "$version"
}

# populate ROOT: everything but the kernel's own modules.
populate() {
    local root=$1 file applet
    mkdir -p "$root"/{bin,dev,etc,lib/modules,proc,run,sys,tmp,usr/bin}
    ln -s bin "$root/sbin" # where the kernel looks for modprobe
    install /bin/busybox "$root/bin/busybox"
    install /bin/dash "$root/bin/sh"
    install "${programs[@]}" "$root/usr/bin/"
    libraries | while read -r file; do
        install -D "$file" "$root$file"
    done
    busybox --list | while read -r applet; do
        [[ -e $root/bin/$applet || -e $root/usr/bin/$applet ]] || ln -s busybox "$root/bin/$applet"
    done
    install "$here/init" "$root/init"
}

pack() {
    local name=$1 lib=$2 root
    root=$(mktemp -d "$dir/root.XXXXXX")
    populate "$root"
    copy_modules "$lib" "$root"
    (cd "$root" && find . -print0 | cpio --quiet -0 -o -H newc -R 0:0) >"$dir/$name.cpio.new"
    mv "$dir/$name.cpio.new" "$dir/$name.cpio"
    rm -rf "$root"
}

uml_modules=$(echo "$dir"/uml/usr/lib/uml/modules/*)
cloud_modules=$(echo "$dir"/cloud/lib/modules/*)
stamp=$(cat "$0" "$here/init" "${programs[@]}" /bin/busybox "$uml_modules/modules.dep" \
    "$cloud_modules/modules.dep" | sha256sum)
if [[ -e $dir/uml.cpio && -e $dir/cloud.cpio && $(cat "$dir/image.stamp" 2>&1) == "$stamp" ]]; then
    exit 0
fi
pack uml "$uml_modules"
pack cloud "$cloud_modules"
echo "$stamp" >"$dir/image.stamp"
