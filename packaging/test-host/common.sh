# Shared by the scripts in this folder, which source it. Only the label is part of the image, and of its content hash;
# keep it that way.
# shellcheck shell=bash

# Every container and image made here carries this label, so that cleaning never touches anything else.
# Not below `sentinel.`, which are the labels that the agent itself reads.
# shellcheck disable=SC2034  # Used by the scripts that source this file.
label='sentinel-test-host=1'

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
