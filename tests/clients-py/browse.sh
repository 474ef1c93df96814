#!/bin/sh
# Browses DNS-SD with Avahi, whose daemon needs a system bus: both of its own, in a /run that only this process sees. Prints
# what avahi-browse says of the services of type $1; to be run in a network namespace, by `ip netns exec`, which gives a mount
# namespace too.
set -eu
mount -t tmpfs tmpfs /run
mkdir -p /run/dbus /run/avahi-daemon
bus=$(dbus-daemon --system --nopidfile --fork --print-pid)
trap 'kill $daemon $bus' EXIT
avahi-daemon --no-drop-root --no-chroot --no-rlimits --file="$2" >/dev/null 2>&1 &
daemon=$!
until avahi-daemon --check; do sleep 0.1; done
avahi-browse --resolve --parsable --terminate "$1"
