# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154 # data, root, containerd_config: sluice-install's
#
# containerd's configuration, which is the administrator's and is given back byte for byte: what is
# put into it is recognised by its own text, and nothing else is looked at or rewritten.
#
# Files of version 2 (containerd 1.6, 1.7) get a block at their end: these versions replace a plugin's
# whole section by that of an imported file, so a drop-in would throw away the node's settings. They
# also forget their default runtime as soon as another is named, so it has to be named, too. From
# version 3 on (containerd 2) sections are merged: a drop-in, and a pattern among the imports, as an
# import that names one file which is missing keeps containerd from starting. k3s and RKE2 make the
# file from a template, whose name says its version: that gets the block.

readonly containerd_dropin=/etc/containerd/conf.d/50-sluice.toml
readonly containerd_import='"/etc/containerd/conf.d/50-sluice*.toml"'
readonly containerd_imports_line="imports = [$containerd_import] # sluice-install"$'\n'
readonly block_begin=$'\n# >>> sluice-install: made by it, and removed by "sluice-install uninstall"\n'
readonly block_end=$'# <<< sluice-install\n'
readonly containerd_header=$'# sluice-install made this file.\nversion = 2\n'
readonly template_header=$'{{/* sluice-install made this file. */}}\n{{ template "base" . }}\n'

# Where it is from here: as the node follows links.
containerd_file() {
    at "$(target_of "$containerd_config")"
}

# Into $content, with every newline at its end. Fails if there is no file.
read_content() {
    content=
    [[ -e $(containerd_file) ]] || return 1
    content=$(cat "$(containerd_file)" && printf x)
    content=${content%x}
}

# The lines before the first table, without comments.
toplevel() {
    awk '/^[ \t]*\[/ { exit } !/^[ \t]*#/' <<<"$content"
}

is_template() {
    [[ $containerd_config == *.tmpl ]]
}

containerd_version() {
    local version
    if is_template; then
        [[ $containerd_config == *-v3.* ]] && echo 3 || echo 2
        return 0
    fi
    version=$(toplevel | sed -nE 's/^[ \t]*version[ \t]*=[ \t]*([0-9]+).*/\1/p')
    printf '%s' "${version:-1}"
}

# Takes what is ours out of $content. What somebody wrote behind the block stays a line of its own.
strip_content() {
    local before after
    content=${content/"$containerd_imports_line"/}
    content=${content/"$containerd_import, "/}
    if [[ $content == *"$block_begin"*"$block_end"* ]]; then
        before=${content%%"$block_begin"*}
        after=${content#*"$block_begin"}
        after=${after#*"$block_end"}
        [[ -z $before || -z $after || $before == *$'\n' ]] || before+=$'\n'
        content=$before$after
    fi
}

# Puts the pattern first among the imports; without any, on a line before everything else.
add_import() {
    local head='' rest=$content line
    ! grep -qE "[\"']/etc/containerd/conf\.d/\*\.toml[\"']" <<<"$(toplevel)" || return 0
    while [[ -n $rest ]]; do
        line=${rest%%$'\n'*}
        [[ ! $line =~ ^[[:space:]]*\[ ]] || break
        if [[ $line =~ ^[[:space:]]*[\"\']?imports[\"\']?[[:space:]]*=[[:space:]]*\[ ]]; then
            head+=${BASH_REMATCH[0]}
            content="$head$containerd_import, ${rest#"${BASH_REMATCH[0]}"}"
            return 0
        fi
        [[ $rest == *$'\n'* ]] || break
        head+=$line$'\n'
        rest=${rest#*$'\n'}
    done
    content=$containerd_imports_line$content
}

# The files that are imported, by the node's paths.
imported_files() {
    local patterns pattern file
    patterns=$(toplevel |
        awk '/^[ \t]*["'\'']?imports["'\'']?[ \t]*=/ { on = 1 } on { print } /\]/ { on = 0 }')
    while read -r pattern; do
        pattern=${pattern:1:-1}
        [[ $pattern == /* ]] || pattern=$(dirname "$containerd_config")/$pattern
        # shellcheck disable=SC2086 # it is a pattern
        for file in $(at "$pattern"); do
            [[ ! -f $file ]] || printf '%s\n' "${file#"${root%/}"}"
        done
    done < <(grep -oE "\"[^\"]*\"|'[^']*'" <<<"$patterns")
}

# What containerd reads but ours.
all_content() {
    local file
    printf '%s\n' "$content"
    imported_files | while read -r file; do
        [[ $file == "$containerd_dropin" ]] || cat "$(at "$file")"
    done
}

# The example files, with this node's program and, if runc's cgroups are made by systemd, ours too.
containerd_table() {
    local systemd=false all
    all=$(all_content)
    ! grep -qE '^[[:space:]]*SystemdCgroup[[:space:]]*=[[:space:]]*true' <<<"$all" || systemd=true
    sed -e "s|\"/usr/bin/sluice-runtime\"|\"$(runtime_program)\"|" \
        -e "s|^SystemdCgroup = .*|SystemdCgroup = $systemd|" "$data/engines/containerd-v$1.toml"
    if ! is_template && ! grep -qE '^[^#]*runtimes[].]' <<<"$all"; then
        echo
        sed "s|\"io.containerd.grpc.v1.cri\"|$2|" "$data/engines/containerd-runc.toml"
    fi
}

# With containerd 1, what an imported file says of the plugin is all that counts.
check_imports() {
    local file
    (($(containerd_version) == 2)) || return 0
    while read -r file; do
        ! grep -qF io.containerd.grpc.v1.cri "$(at "$file")" ||
            die "$containerd_config imports $file, which replaces what it says of the plugin cri:" \
                "say --containerd-config $file"
    done < <(imported_files)
}

# What cannot be edited safely: a table that is there twice keeps containerd from starting.
check_content() {
    ! grep -qE '^[[:space:]]*\[.*runtimes\.["'\'']?sluice["'\'']?[].]' <<<"$content" ||
        die "$containerd_config has a runtime sluice of somebody else's: remove that first"
    ! grep -qE '^[[:space:]]*plugins[[:space:]]*=' <<<"$content" ||
        die "$containerd_config has its plugins in one line: write them as tables"
    (($(containerd_version) >= 2)) ||
        die "$containerd_config is of version 1: see \"containerd config migrate\""
    ! grep -qE '^[[:space:]]*disabled_plugins.*cri' <<<"$(toplevel)" ||
        say "$containerd_config disables the plugin cri: no kubelet can use this containerd"
}

# Writes $content, unless the file is the same already.
write_containerd() {
    local new=$content
    ! read_content || [[ $content != "$new" ]] || return 0
    mark_changed containerd
    make_dir "$(dirname "$containerd_config")"
    printf '%s' "$new" | replace_file "$containerd_config"
}

new_header() {
    if is_template; then
        printf '%s' "$template_header"
    else
        printf '%s' "$containerd_header"
    fi
}

register_containerd() {
    local table version
    read_content || content=$(new_header)$'\n'
    strip_content
    check_content
    check_imports
    version=$(containerd_version)
    if ((version == 2)); then
        table=$(containerd_table 2 '"io.containerd.grpc.v1.cri"')
    else
        table=$(containerd_table 3 "'io.containerd.cri.v1.runtime'")
    fi
    if ((version == 2)) || is_template; then
        content+=$block_begin$(grep -v '^version' <<<"$table")$'\n'$block_end
    else
        mark_if_different containerd "$containerd_dropin" <<<"$table"
        put_file file "$containerd_dropin" 644 <<<"$table"
        add_import
    fi
    write_containerd
}

# First the import, then the file: whatever comes between, containerd can start.
unregister_containerd() {
    if read_content; then
        strip_content
        if [[ $content == "$containerd_header" || $content == "$template_header" ]]; then
            mark_changed containerd
            rm "$(containerd_file)"
        else
            write_containerd
        fi
    fi
    [[ -e $(at "$containerd_dropin") ]] && is_noted "$containerd_dropin" || return 0
    mark_changed containerd
    rm "$(at "$containerd_dropin")"
}

containerd_is_registered() {
    read_content
    [[ $content == *"$block_begin"* || -e $(at "$containerd_dropin") ]]
}
