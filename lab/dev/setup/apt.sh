#!/bin/sh
# Installs Debian packages, as root, and leaves the machine as it was otherwise: none of its services
# is started, stopped, enabled or reconfigured.
#
#   sh lab/dev/setup/apt.sh [package…] [--wanted package…]
#
# Without a package: finish what was cut off. The wanted ones come where they can; where one cannot,
# that is said and is no error.
#
# During the installation a policy-rc.d refuses every start and stop, and a drop-in keeps PostgreSQL
# from making a cluster. Afterwards everything that the new packages have enabled for the next boot is
# disabled. All of that is undone or finished also after Ctrl-C; after a kill, by the next run.
set -eu

LC_ALL=C DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
export LC_ALL DEBIAN_FRONTEND NEEDRESTART_SUSPEND

root=${DPKG_ROOT:-} # Debian's own word for a system in a folder; the tests use it
policy=$root/usr/sbin/policy-rc.d
policy_saved=$policy.saved-by-missing-table
no_cluster=$root/etc/postgresql-common/createcluster.d/missing-table.conf
notes=$root/var/lib/missing-table-setup
mark='# written by the set-up of the Missing Table messaging lab; removed when it ends'

# --- during the installation ---------------------------------------------------------------------

hold_services() {
    if [ ! -e "$policy_saved" ] && [ ! -L "$policy_saved" ] && ! is_ours "$policy" &&
        { [ -e "$policy" ] || [ -L "$policy" ]; }; then
        mv "$policy" "$policy_saved"
    fi
    printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy.new"
    chmod 755 "$policy.new"
    mv "$policy.new" "$policy"
}

release_services() {
    rm -f "$policy.new"
    if [ -e "$policy_saved" ] || [ -L "$policy_saved" ]; then
        mv -f "$policy_saved" "$policy"
    elif is_ours "$policy"; then
        rm -f "$policy"
    fi
}

is_ours() { [ -f "$1" ] && grep -qxF "$mark" "$1"; }

hold_clusters() {
    # Our folders are told from the package's own by what dpkg knows, in release_clusters.
    mkdir -p "$(dirname "$no_cluster")"
    printf '%s\ncreate_main_cluster = false\n' "$mark" >"$no_cluster"
}

release_clusters() {
    rm -f "$no_cluster"
    for folder in createcluster.d ''; do
        folder=${root}/etc/postgresql-common${folder:+/$folder}
        [ ! -d "$folder" ] || dpkg-query -S "${folder#"$root"}" >/dev/null 2>&1 ||
            rmdir "$folder" 2>/dev/null || :
    done
}

# --- what starts at boot -------------------------------------------------------------------------

# Every link that starts something at boot or at a login, with the folders they are in.
starters() {
    {
        find "$root/etc/systemd" \( -type l -o -type d \) -print 2>/dev/null || :
        find "$root"/etc/rc?.d -name 'S*' -print 2>/dev/null || :
    } | sort
}

# Written before anything changes. One that a killed run has left is older and so better, but not for
# ever: after a day, somebody else may have enabled things.
remember_starters() {
    find "$notes" -prune -mmin +1440 -exec rm -rf {} + 2>/dev/null || :
    if [ ! -e "$notes/starters" ]; then
        mkdir -p "$notes"
        starters >"$notes/starters.new"
        mv "$notes/starters.new" "$notes/starters"
    fi
}

disable_new_starters() {
    [ -e "$notes/starters" ] || return 0
    starters | comm -13 "$notes/starters" - >"$notes/new"
    while read -r link; do
        [ -L "$link" ] || continue # gone with an earlier one, or a folder
        case ${link#"$root"} in
            # What `systemctl disable` does, also where there is no systemctl. It lasts: an upgrade
            # of the package enables again only what still had its links (deb-systemd-helper).
            /etc/systemd/*) rm -f "$link" ;;
            # Leaves links that stop the service, which tell later upgrades that it is disabled.
            /etc/rc?.d/*) update-rc.d "$(basename "$(readlink "$link")")" disable >/dev/null ;;
        esac
    done <"$notes/new"
    # Folders last and deepest first: they are only removed where nothing is left in them.
    sort -r "$notes/new" | while read -r folder; do
        [ ! -d "$folder" ] || [ -L "$folder" ] || rmdir "$folder" 2>/dev/null || :
    done
    rm -rf "$notes"
}

# --- installing ----------------------------------------------------------------------------------

apt() {
    apt-get -q -y --no-install-recommends -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 \
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@" 9<&-
}

repair() {
    [ -n "$(dpkg --audit 2>/dev/null)" ] || return 0
    echo "setup: finishing an installation that was interrupted"
    dpkg --configure -a 9<&- || :
    apt --fix-broken install
}

bring() {
    if ! apt --simulate install "$@" >/dev/null 2>&1; then
        apt update
    elif apt --no-remove install "$@"; then
        return 0
    else
        apt update # the lists may name versions that the archive no longer has
    fi
    apt --no-remove install "$@"
}

bring_if_possible() {
    for each in "$@"; do
        if apt --simulate install "$each" >/dev/null 2>&1 && apt --no-remove install "$each"; then
            continue
        fi
        echo "setup: $each is not to be had here; the lab runs without it"
    done
}

finish() {
    trap '' INT TERM HUP
    release_services
    release_clusters
    disable_new_starters
}

[ "$(id -u)" = 0 ] || { echo "setup: apt.sh must be run by root" >&2; exit 2; }

# Two set-ups of one machine take turns.
exec 9<"$root/var/lib/dpkg"
if command -v flock >/dev/null 2>&1; then flock 9; fi

trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP
trap finish EXIT
remember_starters
hold_services
hold_clusters
repair
needed=
while [ "$#" -gt 0 ] && [ "$1" != --wanted ]; do
    needed="$needed $1"
    shift
done
[ -z "$needed" ] || bring $needed
[ "$#" -eq 0 ] || shift
bring_if_possible "$@"
