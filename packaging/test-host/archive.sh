# How this machine gets Debian's packages, for the roots that are made here. Sourced.
# shellcheck shell=bash

# Where Debian publishes a suite: its lines for apt.
archive() {
    printf 'deb http://deb.debian.org/debian %s main\n' "$1"
    # What is not released has neither.
    [ "$1" != sid ] || return 0
    printf 'deb http://deb.debian.org/debian %s-updates main\n' "$1"
    printf 'deb http://deb.debian.org/debian-security %s-security main\n' "$1"
}

# The mirrors this host already uses for the suite $1 (whatever the format of its source lists), or for another suite when it
# uses none for that, else Debian's own. TEST_HOST_MIRROR overrides them.
mirrors() {
    local suite=$1 found= all= uri
    if [ -n "${TEST_HOST_MIRROR:-}" ]; then
        found="deb $TEST_HOST_MIRROR $suite main"
    elif command -v apt-get >/dev/null; then
        # shellcheck disable=SC2016  # $(NAME) is apt's syntax here.
        all=$(apt-get indextargets --format 'deb $(REPO_URI) $(CODENAME) $(COMPONENT)' \
            'Created-By: Packages' 'Origin: Debian' 'Component: main' 2>/dev/null | sort -u) || true
        found=$(grep -E " $suite(-updates|-security)? main\$" <<<"$all") || true
        if ! grep -q " $suite main\$" <<<"$found"; then
            # A mirror of one suite has the others beside it. Security updates stand elsewhere, and are of no use to a host
            # that lives for a test.
            uri=$(sed -n 's,^deb \([^ ]*\) [a-z]* main$,\1,p' <<<"$all" | head -n 1)
            found=${uri:+deb $uri $suite main}
        fi
    fi
    # Without the suite itself (an Ubuntu host, or backports alone) the list is of no use.
    if grep -q " $suite main\$" <<<"$found"; then
        printf '%s\n' "$found"
    else
        archive "$suite"
    fi
}

# How the host's apt reaches its mirrors: proxies, certificates, retries. Not its hooks, nor what it downloads.
apt_access() {
    apt-config dump |
        grep -E '^Acquire::(https?|ftp|socks|Retries|ForceIPv[46]|Check-Valid-Until|Check-Date|Proxy)' || true
}
