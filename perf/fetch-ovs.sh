#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Unpacks Debian's Open vSwitch with DPDK below the given directory, for the bench "ovs". It is not
# installed: its packages would start daemons of their own.
set -euo pipefail

dir=$1
packages=(openvswitch-common openvswitch-switch openvswitch-switch-dpdk)

[[ ! -e $dir/usr/sbin/ovsdb-server ]] || exit 0
rm -rf "$dir.new"
mkdir -p "$dir.new/deb"
(cd "$dir.new/deb" && apt-get -qq -o APT::Sandbox::User=root download "${packages[@]}")
for deb in "$dir.new"/deb/*.deb; do
    dpkg -x "$deb" "$dir.new"
done
rm -r "$dir.new/deb"
mv "$dir.new" "$dir"
