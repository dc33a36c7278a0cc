# How this machine gets Debian's packages, for the roots that are made here. Sourced; no part of the images' content hash.
# shellcheck shell=bash

# The mirrors this host already uses for the suite $1 (whatever the format of its source lists), else Debian's own.
# TEST_HOST_MIRROR overrides them.
mirrors() {
    local suite=$1 found=
    if [ -n "${TEST_HOST_MIRROR:-}" ]; then
        found="deb $TEST_HOST_MIRROR $suite main"
    elif command -v apt-get >/dev/null; then
        # shellcheck disable=SC2016  # $(NAME) is apt's syntax here.
        found=$(apt-get indextargets --format 'deb $(REPO_URI) $(CODENAME) $(COMPONENT)' \
            'Created-By: Packages' 'Origin: Debian' 'Component: main' 2>/dev/null |
            grep -E " $suite(-updates|-security)? main\$" | sort -u) || true
    fi
    # Without the suite itself (an Ubuntu host, or backports alone) the list is of no use.
    if grep -q " $suite main\$" <<<"$found"; then
        printf '%s\n' "$found"
    else
        cat "$(dirname "${BASH_SOURCE[0]}")/overlay/etc/apt/sources.list"
    fi
}

# How the host's apt reaches its mirrors: proxies, certificates, retries. Not its hooks, nor what it downloads.
apt_access() {
    apt-config dump |
        grep -E '^Acquire::(https?|ftp|socks|Retries|ForceIPv[46]|Check-Valid-Until|Check-Date|Proxy)' || true
}
