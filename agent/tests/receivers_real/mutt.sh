# Looks at the mailbox of `night` with mutt: the screen with its list goes to stdout, the first mail, as mutt shows it, to
# /var/tmp/shown. Its input stays open, since it takes the end of that for a wish to leave.
# Other mails, about receivers of this lab that never work, may come first: the list is limited to the incident.
# It would ask whether to make a folder for mail if it had none.
export TERM=vt100 LANG=C.UTF-8
cat >/root/.muttrc <<'CONFIG'
set folder=/home/night/Maildir sort=threads ascii_chars=yes read_inc=0 wait_key=no pipe_decode=yes
set index_format="%3C %-16.16F %s"
push "<limit>~s incident<enter><first-entry><pipe-message>cat >/var/tmp/shown<enter><quit>"
CONFIG
script --quiet --return --command 'stty rows 24 cols 90; mutt -R -f /home/night/Maildir' /dev/null < <(exec sleep 30)
