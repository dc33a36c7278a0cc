# A mail server with a certificate, logins and two mailboxes, in a test host of the variant `mail`.
set -e
mkdir -p /etc/lab /etc/postfix/sasl
cd /etc/lab
key='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
openssl req -x509 $key -keyout ca.key -out ca.pem -days 30 -subj /CN=lab-ca 2>/dev/null
openssl req $key -keyout mail.key -out mail.csr -subj /CN=mail.lab.test 2>/dev/null
echo subjectAltName=DNS:mail.lab.test >names
openssl x509 -req -in mail.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile names -out mail.pem 2>/dev/null
echo '127.0.0.1 mail.lab.test' >>/etc/hosts
useradd --create-home ops
useradd --create-home night
cat >/etc/postfix/main.cf <<'CONFIG'
compatibility_level = 3.6
myhostname = mail.lab.test
mydestination = lab.test
inet_interfaces = loopback-only
inet_protocols = ipv4
home_mailbox = Maildir/
alias_maps =
local_recipient_maps = proxy:unix:passwd.byname
smtpd_tls_cert_file = /etc/lab/mail.pem
smtpd_tls_key_file = /etc/lab/mail.key
smtpd_tls_security_level = encrypt
smtpd_tls_received_header = yes
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_recipient_restrictions = reject_unlisted_recipient, permit_sasl_authenticated, reject
maillog_file =
CONFIG
cat >/etc/postfix/sasl/smtpd.conf <<'CONFIG'
pwcheck_method: auxprop
auxprop_plugin: sasldb
mech_list: PLAIN LOGIN
CONFIG
echo sesame-open | saslpasswd2 -p -c -u lab.test sentinel
chgrp postfix /etc/sasldb2
# Outside its chroot, so that it sees the passwords.
postconf -M# smtp/inet
postconf -Me 'submission/inet=submission inet n - n - - smtpd'
postconf -Me 'submissions/inet=submissions inet n - n - - smtpd'
postconf -Pe 'submissions/inet/smtpd_tls_wrappermode=yes'
systemctl start postfix
