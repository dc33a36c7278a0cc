# Shared by the scripts in this folder, which source it. Only the label is part of the image, and of its content hash;
# keep it that way.
# shellcheck shell=bash

# Every container and image made here carries this label, so that cleaning never touches anything else.
# Not below `sentinel.`, which are the labels that the agent itself reads.
# shellcheck disable=SC2034  # Used by the scripts that source this file.
label='sentinel-test-host=1'

# The label of a host that has a cgroup of its own, with its name: see run. And what all of these names begin with.
# shellcheck disable=SC2034
cgroup_label='sentinel-test-host-cgroup'
# shellcheck disable=SC2034
cgroup_prefix='sentinel-test-host-'

# The suites of Debian that hosts are made of, and the one that they are when nothing else is asked for.
suites='bookworm trixie sid'
# shellcheck disable=SC2034
default_suite=bookworm
known_suite() { [[ " $suites " == *" $1 "* ]]; }

# The distribution's client is preferred because it matches the distribution's engine; another client
# earlier on PATH may be newer than the engine or print warnings of its own.
if [ -n "${DOCKER:-}" ]; then
    docker=$DOCKER
elif [ -x /usr/bin/docker ]; then
    docker=/usr/bin/docker
else
    docker=docker
fi

# The last path component of the script that runs, for messages.
program=${0##*/}

say() { printf '%s: %s\n' "$program" "$*" >&2; }

die() {
    say "$*"
    exit 1
}

engine_answers() { "$docker" version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# The names in a list file, one a line, without its comments.
names() { sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' "$1"; }

# wait_until SECONDS COMMAND...: poll COMMAND until it succeeds; fails after SECONDS. The pause only keeps
# the polling cheap; nothing relies on its length.
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.05
    done
}

# with_cgroups COMMAND...: runs COMMAND where the whole hierarchy of version 2 is mounted at /sys/fs/cgroup, which no other process sees.
with_cgroups() {
    # shellcheck disable=SC2016  # Expanded there.
    unshare --mount --propagation private sh -ec 'mount -t cgroup2 cgroup2 /sys/fs/cgroup; exec "$@"' with_cgroups "$@"
}

# remove_cgroup NAME: removes a cgroup of version 2 with all below it, of which nothing may run any more. One that was frozen
# is let go first: it would stay, and with it the name. The end of a process is seen a little later than that of its container.
remove_cgroup() {
    local name=$1
    [[ $name == "$cgroup_prefix"?* && $name != */* ]] || die "no cgroup of a test host: $name"
    # shellcheck disable=SC2016  # Expanded there.
    wait_until 20 with_cgroups sh -c '
        cd /sys/fs/cgroup
        [ -d "$1" ] || exit 0
        find "$1" -depth -type d | while read -r one; do
            [ ! -e "$one/cgroup.freeze" ] || echo 0 >"$one/cgroup.freeze"
            rmdir "$one" || exit 1
        done' remove_cgroup "$name" 2>/dev/null
}

# Removes the cgroups of hosts that are gone, however they went.
remove_left_cgroups() {
    local known name
    known=$("$docker" ps --all --filter "label=$cgroup_label" --format "{{.Label \"$cgroup_label\"}}")
    while read -r name; do
        grep -qxF "$name" <<<"$known" || ! remove_cgroup "$name" || say "removed the cgroup $name"
    done < <(with_cgroups find /sys/fs/cgroup -maxdepth 1 -name "$cgroup_prefix*" -printf '%f\n')
}
