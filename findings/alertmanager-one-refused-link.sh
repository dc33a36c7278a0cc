#!/bin/bash
# One alert with a `%` alone in its link makes Alertmanager refuse every alert of the same request.
#
# Seen with: prometheus-alertmanager 0.25.0 of Debian 12.
#
# Clients send what fires in one request, and send all of it again every minute. An alert whose labels are no good is left out
# and answered with 400, and the others of its request are kept. A `generatorURL` with a `%` that begins no escape, as
# address bars of browsers show and people copy them, is found by the check against the API's description, before anything is
# looked at: 422, and nothing of the request is kept. A client that takes every 4xx for an answer about one alert, or for
# one that must not be sent again, silences all of its alerts for as long as that one fires.
#
# Expected here: the good alert of the first request is there, that of the second is not.
set -euo pipefail
folder=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf "$folder"' EXIT
cd "$folder"
apt-get download --quiet=2 prometheus-alertmanager=0.25.0-1+b4 2>/dev/null
dpkg-deb --extract prometheus-alertmanager_*.deb .
printf 'route: { receiver: none }\nreceivers: [{ name: none }]\n' >alertmanager.yml
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
# Debian's looks for its templates in /usr/share, so it gets a view of its own of that.
unshare --map-root-user --mount sh -c 'mount --bind usr/share /usr/share && exec "$@"' - \
    usr/bin/prometheus-alertmanager --config.file=alertmanager.yml --storage.path=data --cluster.listen-address= \
    --web.listen-address="127.0.0.1:$port" 2>log &
pid=$!
at="http://127.0.0.1:$port"
curl --silent --fail --retry 60 --retry-connrefused --retry-delay 1 --output ready "$at/-/ready"
post() { curl --silent --output answer --write-out '%{http_code}' --header 'Content-Type: application/json' --data "$1" "$at/api/v2/alerts"; }
kept() { curl --silent "$at/api/v2/alerts" | python3 -c 'import json, sys; print(*sorted(a["labels"]["alertname"] for a in json.load(sys.stdin)))'; }
{
    echo "beside bad labels: $(post '[{"labels":{"alertname":"first"}},{"labels":{"alertname":""}}]')"
    echo "kept: $(kept)"
    echo "beside a bad link: $(post '[{"labels":{"alertname":"second"}},{"labels":{"alertname":"linked"},"generatorURL":"http://wiki/100%"}]')"
    echo "kept: $(kept)"
} >seen
cat seen
diff - seen <<'END'
beside bad labels: 400
kept: first
beside a bad link: 422
kept: first
END
echo 'Alertmanager 0.25.0: one bad link loses the request'
