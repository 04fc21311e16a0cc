#!/bin/sh
# Installs the secmon agent for this machine from a released set of files, and makes the users of its processes.
#
#   sh install.sh [--from DIRECTORY|URL] [--key FILE] [--to DIRECTORY] [--machine NAME] [--users yes|no]
#
#   --from      where the released files are [default: the directory of this script]
#   --key       the release key, a minisign public key: checks the signature before anything else (needs minisign)
#   --to        where secmon-agent goes [default: /usr/local/bin]
#   --machine   what `uname -m` says on the machine it is for [default: this one]
#   --users     whether to make the users secmon-net and secmon-diag, where they are missing
#               [default: yes; no with --machine]
#
# Nothing is replaced unless the checksum is right; a running agent keeps its old file until it is restarted.
set -eu

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p;}' "$0"; exit 2; }
fail() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

from=$(dirname "$0") key='' to=/usr/local/bin machine='' users=''
while [ $# -gt 0 ]; do
    [ $# -gt 1 ] || usage
    case $1 in
        --from) from=$2 ;;
        --key) key=$2 ;;
        --to) to=$2 ;;
        --machine) machine=$2 ;;
        --users) users=$2 ;;
        *) usage ;;
    esac
    shift 2
done
case $users:$machine in yes:* | no:*) ;; :) users=yes ;; :*) users=no ;; *) usage ;; esac
[ -n "$machine" ] || machine=$(uname -m)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# fetch NAME: one released file into the work directory.
fetch() {
    case $from in
        https://* | http://127.0.0.1:*)
            if command -v curl >/dev/null; then
                curl --fail --silent --show-error --location --output "$work/$1" "$from/$1"
            elif command -v wget >/dev/null; then
                wget -q -O "$work/$1" "$from/$1"
            else
                fail 'neither curl nor wget is here; download the files by hand and use --from DIRECTORY'
            fi ;;
        *://*) fail "$from: only https" ;;
        *) cp "$from/$1" "$work/$1" ;;
    esac || fail "no $1 in $from"
}

# checked NAME: the same, and it must be what SHA256SUMS says.
checked() {
    fetch "$1"
    line=$(grep "^[0-9a-f]\{64\}  $1\$" "$work/SHA256SUMS") || fail "SHA256SUMS doesn't list $1"
    (cd "$work" && printf '%s\n' "$line" | sha256sum -c - >/dev/null 2>&1) ||
        fail "$1 is not what SHA256SUMS says; nothing was installed"
}

# make_user NAME [GROUP...]: a system user without home, shell and password, in those of the groups that exist.
# A second time changes nothing.
make_user() {
    user=$1
    shift
    nologin=$(command -v nologin) || nologin=/bin/false
    if id -u "$user" >/dev/null 2>&1; then
        :
    elif command -v useradd >/dev/null; then
        groupadd --system --force "$user" &&
            useradd --system --gid "$user" --no-create-home --home-dir /nonexistent --shell "$nologin" "$user"
    elif command -v adduser >/dev/null; then # BusyBox
        { grep -q "^$user:" /etc/group || addgroup -S "$user"; } &&
            adduser -S -D -H -h /nonexistent -s "$nologin" -G "$user" "$user"
    else
        false
    fi || return 1
    for group in "$@"; do
        if ! grep -q "^$group:" /etc/group || id -nG "$user" | tr ' ' '\n' | grep -qxF "$group"; then
            continue
        fi
        if command -v usermod >/dev/null; then usermod -aG "$group" "$user"; else addgroup "$user" "$group"; fi ||
            return 1
    done
}

fetch SHA256SUMS
if [ -n "$key" ]; then
    command -v minisign >/dev/null || fail 'no minisign here; install it, or check the signature elsewhere'
    fetch SHA256SUMS.minisig
    minisign -V -q -p "$key" -m "$work/SHA256SUMS" >/dev/null 2>&1 ||
        fail 'the signature of SHA256SUMS is not of that key; nothing was installed'
fi
checked targets
triple=$(awk -v machine="$machine" '$1 == machine { print $2; exit }' "$work/targets")
[ -n "$triple" ] || fail "no agent for $machine; there are: $(cut -d ' ' -f 1 "$work/targets" | tr '\n' ' ')"
checked "secmon-agent-$triple"

# Beside its place first, then renamed: there is never half an agent.
mkdir -p "$to"
cp "$work/secmon-agent-$triple" "$to/.secmon-agent.new"
chmod 755 "$to/.secmon-agent.new"
mv "$to/.secmon-agent.new" "$to/secmon-agent"
printf 'installed %s (%s)\n' "$to/secmon-agent" "$triple"
[ -n "$key" ] || printf 'checked by SHA256SUMS only; --key FILE checks who made it\n'

if [ "$users" = no ]; then
    :
elif [ "$(id -u)" != 0 ]; then
    printf 'not root: whether the users secmon-net and secmon-diag are there was not looked at\n'
elif make_user secmon-net && make_user secmon-diag adm systemd-journal; then
    printf 'the users secmon-net and secmon-diag are there\n'
else
    # The agent runs without them, as a user that others share, and says so.
    printf 'install.sh: make the users secmon-net and secmon-diag by hand, without home and shell\n' >&2
fi
