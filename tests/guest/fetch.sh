#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Fetches the guest kernels, and a sidecar's web server, from Debian into DIR and unpacks them there;
# nothing is installed, so that no server begins to run on the machine.
#
#   DIR/linux.uml     User Mode Linux, a kernel that runs as a process (package user-mode-linux)
#   DIR/vmlinuz       Debian's cloud kernel, for QEMU
#   DIR/uml DIR/cloud the unpacked packages, with their modules
#   DIR/nginx         the unpacked package nginx
#
# A second run finds the links and does nothing. To take newer kernels, remove DIR.
set -euo pipefail

dir=${1:?usage: fetch.sh DIR}

# The metapackage names the kernel package of the day.
cloud_package() {
    apt-cache depends linux-image-cloud-amd64 |
        awk '$1 == "Depends:" && $2 ~ /^linux-image-.*-cloud-amd64$/ { print $2; exit }'
}

# unpack PACKAGE WHERE: all or nothing, so that an interrupted run leaves no half kernel behind.
unpack() {
    rm -rf "$dir/deb" "$dir/$2.new" "$dir/${2:?}"
    mkdir -p "$dir/deb"
    (cd "$dir/deb" && apt-get -qq -o APT::Sandbox::User=root download "$1")
    dpkg -x "$dir"/deb/*.deb "$dir/$2.new"
    rm -rf "$dir/deb"
    mv "$dir/$2.new" "$dir/$2"
}

if [[ ! -e $dir/linux.uml ]]; then
    echo "fetching user-mode-linux"
    unpack user-mode-linux uml
    ln -sfn uml/usr/bin/linux.uml "$dir/linux.uml"
fi
if [[ ! -e $dir/vmlinuz ]]; then
    package=$(cloud_package)
    echo "fetching ${package:?no cloud kernel in the package lists: run apt-get update}"
    unpack "$package" cloud
    # The package leaves modules.dep to its installation script.
    depmod -b "$dir/cloud" "$(basename "$dir"/cloud/lib/modules/*)"
    ln -sfn "cloud/boot/$(basename "$dir"/cloud/boot/vmlinuz-*)" "$dir/vmlinuz"
fi
if [[ ! -e $dir/nginx ]]; then
    echo "fetching nginx"
    unpack nginx nginx
fi
