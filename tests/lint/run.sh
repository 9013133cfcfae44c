#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The suite lint: run.sh BUILD_DIR [COUNTS_FILE]. Every check_* function below is one check; what it
# prints is shown when it fails (check_size always reports, on descriptor 3).
set -uo pipefail

build=$(realpath "${1:?usage: run.sh BUILD_DIR [COUNTS_FILE]}")
counts=${2:-/dev/null}
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cd "$root" || exit 1

# Files of the project that match the patterns, committed or not yet.
files() {
    git ls-files --cached --others --exclude-standard -- "$@" | while read -r file; do
        [[ ! -e $file ]] || echo "$file"
    done
}

check_format() {
    ! files '*.c' '*.h' | xargs clang-format --dry-run --Werror 2>&1 |
        sed -n 's/^\([^: ]*:[0-9]*\):.*error: code should be/\1: should be/p' | sort -u | grep .
}

# The whole tree in a build folder of its own, any warning is an error (gcc's are in the ordinary
# build). Shows the diagnostics of every file, without the build's chatter. DPDK 22.11's headers
# compare GCC_VERSION, which they define for gcc alone.
check_warnings_clang() {
    local dir=$build/lint-clang log=$build/lint-clang.log
    [[ -e $dir/build.ninja ]] ||
        CC=clang meson setup "$dir" --werror --buildtype debugoptimized -Dc_args=-DGCC_VERSION=0 >"$log" 2>&1 ||
        { cat "$log" && return 1; }
    nice ninja -C "$dir" -k 0 >"$log" 2>&1 || {
        grep -E -A 4 '(error|warning): ' "$log" || tail -n 20 "$log"
        return 1
    }
}

# With the flags that meson gives the file's own directory, or those of the switch for a new one.
check_headers_alone() {
    local flags header rc=0
    flags=$(pkg-config --cflags libdpdk jansson json-c libevent_core cmocka libnl-route-3.0)
    while read -r header; do
        # shellcheck disable=SC2086 # the flags are words
        gcc -std=gnu17 -D_GNU_SOURCE -DSLUICE_VERSION='""' -DALLOW_EXPERIMENTAL_API $flags -I. \
            -fsyntax-only -Wall -Wextra -Wno-unused-parameter -x c \
            -include "$header" /dev/null || rc=1
    done < <(files '*.h') 2>&1
    return $rc
}

check_datapath_symbols() {
    "$here/datapath_symbols.py" "$build/switch/libdatapath.a" "$here/datapath-symbols.txt"
}

# Only a program's main.c ends the process; the tests' own tools are programs of one file each.
check_no_exit() {
    ! files 'lib/*.c' 'config/*.c' 'switch/*.c' 'launcher/*.c' | grep -v '/main\.c$' |
        xargs grep -nE '(^|[^_[:alnum:]])(_?exit|_Exit|quick_exit|abort|err|errx) *\('
}

check_man_pages() {
    "$here/man_pages.py" "$build"
}

check_spdx() {
    local rc=0 file
    while read -r file; do
        head -n 5 "$file" | grep -q 'SPDX-License-Identifier: BSD-3-Clause' || {
            echo "$file: no SPDX line"
            rc=1
        }
    done < <(files '*.c' '*.h' '*.py' '*.sh' dev .ci/run config/Containerfile config/containers.conf.d \
        config/engines config/installer config/kubernetes)
    return $rc
}

check_shell() {
    { files '*.sh' config/installer && echo dev .ci/run tests/guest/init; } | sort -u |
        xargs shellcheck -x
}

check_manifests() {
    "$here/manifests.py" "$build"
}

check_containerfile() {
    "$here/containerfile.py" "$build"
}

check_size() {
    files '*.c' '*.h' '*.py' '*.sh' dev config/installer | sort -u | "$here/size_report.py" >&3
}

passed=0 failed=0
for check in $(compgen -A function check_); do
    start=$SECONDS
    if output=$($check 3>&2 2>&1); then
        echo "ok   ${check#check_} ($((SECONDS - start)) s)"
        ((passed += 1))
    else
        echo "FAIL ${check#check_} ($((SECONDS - start)) s)"
        printf '%s\n' "$output" | tail -n 60 | sed 's/^/    /'
        ((failed += 1))
    fi
done
echo "$passed $failed 0" >"$counts"
((failed == 0))
