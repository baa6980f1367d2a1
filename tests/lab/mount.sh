#!/usr/bin/env bash
# usage (as root, inside the lab VM): mount.sh ours|smbd [work]
# Mounts a user-space server on the VM's own loopback with the kernel's cifs client over TCP, at each dialect and
# protection, and works on the mount: the steps of the interop matrix as a file system sees them. With `work`: what people
# do there (work.py), at 3.1.1 and without the client's cache; and clones on a share that is on XFS.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d) mnt=$(mktemp -d)
modprobe cifs

cat >"$work/serve.py" <<PY
import sys
sys.path.insert(0, "$here/../interop")
import peers
server = peers.Smbd("$work") if sys.argv[1] == "smbd" else peers.OurServer("$work")
print(server.port, server.share, flush=True)
try:
    server.proc.wait()
finally:
    peers.stop(server.proc)
PY

refused() { if "$@" 2>/dev/null; then echo "not refused: $*"; return 1; fi; }

steps() {
  local share=$1 n
  mkdir "$mnt/d"
  for n in 0 1 65535 65536 65537 5000000; do
    head -c "$n" /dev/urandom >"$work/source"
    cp "$work/source" "$mnt/d/f$n"
    cmp "$work/source" "$share/d/f$n"
    [ "$(stat -c %s "$mnt/d/f$n")" = "$n" ]
    cp "$work/source" "$work/kept$n"
  done
  umount "$mnt"; mount_it                 # read back without the client's cache
  for n in 0 1 65535 65536 65537 5000000; do cmp "$work/kept$n" "$mnt/d/f$n"; done
  [ "$(ls "$mnt/d" | wc -l)" = 6 ]
  echo appended >>"$mnt/d/f1"
  [ "$(stat -c %s "$share/d/f1")" = 10 ]
  truncate -s 100 "$mnt/d/f65536"
  [ "$(stat -c %s "$share/d/f65536")" = 100 ]
  mv "$mnt/d/f65537" "$mnt/d/renamed"
  [ -f "$share/d/renamed" ]
  [ ! -e "$mnt/d/f65537" ]
  touch -d '2020-02-02 02:02:02 UTC' "$mnt/d/renamed"
  [ "$(stat -c %Y "$share/d/renamed")" = 1580608922 ]
  refused mkdir "$mnt/d"
  refused rmdir "$mnt/d"
  df "$mnt" >/dev/null
  rm "$mnt"/d/*
  rmdir "$mnt/d"
  [ -z "$(ls -A "$share")" ]
}

mount_it() {
  mount -t cifs //127.0.0.1/share "$mnt" -o "port=$port,$options,username=alice,password=Passw0rd,sec=ntlmssp"
}

start_server() {
  : >"$work/port"
  python3 "$work/serve.py" "$kind" >"$work/port" 2>&1 & server=$!
  for _ in $(seq 200); do [ -s "$work/port" ] && break; sleep 0.3; done
  read -r port share <"$work/port"
  [ -d "$share" ] || { cat "$work/port"; exit 1; }
}

# with two connections, and every byte and lock on the wire
works() {
  local name=$1 options=vers=3.1.1,cache=none,nosharesock second
  shift
  second=$(mktemp -d)
  (
    set -e
    mount_it; mnt=$second mount_it
    python3 "$here/work.py" "$mnt" "$second" "$@"
    umount "$second" "$mnt"
  ) >"$work/out" 2>&1 & steps=$!
  if wait $steps; then
    echo "PASS cifs-$kind $name: $(tr '\n' ' ' <"$work/out")"
  else
    failed=1
    echo "FAIL cifs-$kind $name"; tail -20 "$work/out" | sed 's/^/     /'; dmesg | tail -5 | sed 's/^/     /'
    umount -l "$second" "$mnt" 2>/dev/null || true
    rm -rf "${share:?}"/*
  fi
}

work_there() {
  works work "$share"
  modprobe xfs; modprobe loop
  truncate -s 400M "$work/disk"
  mkfs.xfs -q -m reflink=1 "$work/disk"
  # The server has the directory that was there: another, for this one.
  kill $server; wait $server || true
  mount -o loop "$work/disk" "$share"
  start_server
  works reflink "$share" reflink
}

kind=$1 failed=0
start_server
if [ "${2:-}" = work ]; then
  work_there
  exit $failed
fi
for options in vers=2.0 vers=2.1,sign vers=3.0 vers=3.02,seal vers=3.1.1 vers=3.1.1,sign vers=3.1.1,seal; do
  # in the background: `set -e` does not hold inside the condition of an if
  (set -ex; mount_it; steps "$share"; umount "$mnt") >"$work/out" 2>&1 & steps=$!
  if wait $steps; then
    echo "PASS cifs-$kind $options"
  else
    failed=1
    echo "FAIL cifs-$kind $options"; tail -20 "$work/out" | sed 's/^/     /'; dmesg | tail -5 | sed 's/^/     /'
    umount -l "$mnt" 2>/dev/null || true
    rm -rf "${share:?}"/*
  fi
done
exit $failed
