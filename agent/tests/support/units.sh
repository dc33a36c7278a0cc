#!/bin/sh
# Units for the systemd tests, one for each way to run and to end. Run as root in a test host.
set -eu

unit() { cat >"/etc/systemd/system/$1"; }
# A service that the tests may start as often as they like.
service() {
    {
        printf '[Unit]\nStartLimitIntervalSec=0\n%s\n[Service]\n' "${2:-}"
        cat
    } | unit "$1.service"
}
sleeps='ExecStart=/bin/sleep infinity'

service a <<S
$sleeps
S
service b <<S
$sleeps
S
service r <<S
$sleeps
Restart=on-failure
RestartSec=2s
S
service r0 <<S
$sleeps
Restart=always
RestartSec=0
S
unit limit.service <<S
[Unit]
StartLimitIntervalSec=30
StartLimitBurst=3
[Service]
ExecStart=/bin/false
Restart=on-failure
RestartSec=100ms
S
unit limit2.service <<S
[Unit]
StartLimitIntervalSec=300
StartLimitBurst=2
[Service]
$sleeps
S
service slow <<'S'
Type=notify
NotifyAccess=all
ExecStart=/bin/sh -c 'sleep 2; systemd-notify --ready; sleep infinity'
S
service slowstop <<'S'
ExecStart=/bin/sh -c 'trap "" TERM; while :; do sleep 0.2; done'
TimeoutStopSec=2
S
service oneshot <<'S'
Type=oneshot
ExecStart=/bin/true
S
service oneshotfail <<'S'
Type=oneshot
ExecStart=/bin/false
S
service oneshotrae <<'S'
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
S
service part 'PartOf=a.service' <<S
$sleeps
S
service binds 'BindsTo=a.service
After=a.service' <<S
$sleeps
S
service confl 'Conflicts=b.service' <<S
$sleeps
S
unit sock.socket <<'S'
[Socket]
ListenStream=/run/sock.test
S
service sock <<S
$sleeps
S
service sig <<'S'
ExecStart=/bin/sh -c 'trap "exit 143" TERM; while :; do sleep 0.1; done'
S
service unclean <<'S'
ExecStart=/bin/sh -c 'trap "exit 1" TERM; while :; do sleep 0.1; done'
S
service exit0 <<'S'
ExecStart=/bin/sleep 0.5
S
service cond 'ConditionPathExists=/nonexistent' <<S
$sleeps
S
service assert 'AssertPathExists=/nonexistent' <<S
$sleeps
S
service depfail 'Requires=oneshotfail.service
After=oneshotfail.service' <<S
$sleeps
S
service nostart 'RefuseManualStart=yes' <<S
$sleeps
S
service brk <<S
ExecStartPre=/bin/sh -c "test ! -e /run/brk"
$sleeps
S
cp /bin/sleep /usr/local/bin/brkx
service brkx <<'S'
Type=exec
ExecStart=/usr/local/bin/brkx infinity
S
service wd <<'S'
Type=notify
NotifyAccess=all
WatchdogSec=1
ExecStart=/bin/sh -c 'systemd-notify --ready; sleep infinity'
S
service aliased <<S
$sleeps

[Install]
Alias=nickname.service
S
ln -s /dev/null /etc/systemd/system/masked.service
systemctl --quiet enable aliased.service
systemctl daemon-reload
