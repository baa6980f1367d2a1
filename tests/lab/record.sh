#!/usr/bin/env bash
# usage (as root, inside the lab VM): record.sh OUT_DIR [SET…]
# Records the kernel's cifs client with ksmbd over TCP on the VM's loopback: OUT_DIR/<set>.pcapng, and OUT_DIR/<set>.keys with
# what the client says its keys are. tests/tools/record_linux.py runs it and cuts the messages out.
set -euo pipefail
out=$1 share=/tmp/share mnt=/tmp/mnt; shift
mkdir -p "$out" "$share" "$mnt" /etc/ksmbd
chmod 777 "$share"
cat >/etc/ksmbd/smb.conf <<'CONF'
[global]
 server min protocol = SMB2_10
 server multi channel support = yes
 smb2 leases = yes
 smb3 encryption = auto
 durable handles = yes
[test]
 path = /tmp/share
 read only = no
 vfs objects = acl_xattr streams_xattr
 store dos attributes = yes
 oplocks = yes
CONF
modprobe cifs
modprobe ksmbd
ksmbd.adduser -a smbtest -p Passw0rd -c /etc/ksmbd/smb.conf
ksmbd.mountd -n -c /etc/ksmbd/smb.conf &
for _ in $(seq 100); do ss -ltn | grep -q ':445 ' && break; sleep 0.1; done

mount_it() {  # extra options
  mount -t cifs //127.0.0.1/test "$mnt" -o "$options,username=smbtest,password=Passw0rd,sec=ntlmssp,echo_interval=1,$1"
}

# What fails is recorded all the same: an error is an answer too.
try() { "$@" >/dev/null 2>&1 || echo "  refused: $*"; }

sparse() {
  python3 - "$1" <<'PY'
import os, sys
def attempt(what):
    try:
        what()
    except (OSError, ValueError):
        pass
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o644)
os.pwrite(file, b"x" * 1000, 200000)
os.fsync(file)
attempt(lambda: os.posix_fallocate(file, 0, 300000))
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
for mode in (3, 0x10, 0x11, 1):  # punch a hole, zero, zero but keep the size, keep the size
    libc.fallocate(file, mode, ctypes.c_long(4096), ctypes.c_long(8192))
attempt(lambda: os.lseek(file, 0, os.SEEK_DATA))
attempt(lambda: os.lseek(file, 0, os.SEEK_HOLE))
os.ftruncate(file, 100)
PY
}

copy_range() {
  python3 - "$1" "$2" <<'PY'
import os, sys
source, target = os.open(sys.argv[1], os.O_RDONLY), os.open(sys.argv[2], os.O_RDWR | os.O_CREAT, 0o644)
os.copy_file_range(source, target, 200)
PY
}

# Few steps for sets that are signed or sealed: they are about that.
short() {
  mkdir "$mnt/d"
  printf '%0200d' 7 >"$mnt/d/small"
  ls -la "$mnt/d" >/dev/null
  mv "$mnt/d/small" "$mnt/d/renamed"
  stat -f "$mnt" >/dev/null
  smbinfo keys "$mnt/d/renamed" >"$out/$1.keys" 2>&1 || true   # only of sessions that are sealed
  umount "$mnt"
  mount_it cache=none
  cat "$mnt/d/renamed" >/dev/null
  rm -r "$mnt/d"
}

work() {
  local kind
  mkdir "$mnt/d"
  printf '%0200d' 7 >"$mnt/d/small"
  head -c 70000 /dev/zero >"$mnt/d/big"
  : >"$mnt/d/empty"
  mkdir "$mnt/d/Größe" && touch "$mnt/d/Größe/файл"
  ls -la "$mnt/d" >/dev/null
  cat "$mnt/d/small" "$mnt/d/big" >/dev/null
  echo more >>"$mnt/d/small"
  mv "$mnt/d/small" "$mnt/d/renamed"
  try mv "$mnt/d" "$mnt/missing/x"
  try ln "$mnt/d/renamed" "$mnt/d/link"
  try ln -s target "$mnt/d/symlink"
  try readlink "$mnt/d/symlink"
  touch -d '2020-02-02 02:02:02 UTC' "$mnt/d/renamed"
  chmod -w "$mnt/d/renamed"; chmod +w "$mnt/d/renamed"
  truncate -s 100 "$mnt/d/big"
  try setfattr -n user.color -v blue "$mnt/d/renamed"
  try setfattr -n user.shape -v round "$mnt/d/renamed"
  try getfattr -d "$mnt/d/renamed"
  try setfattr -x user.color "$mnt/d/renamed"
  try getfattr -n user.nothing "$mnt/d/renamed"
  try getfacl "$mnt/d/renamed"
  try setfacl -m u:nobody:r "$mnt/d/renamed"
  try getcifsacl "$mnt/d/renamed"
  try setcifsacl -a "ACL:S-1-1-0:ALLOWED/0x0/READ" "$mnt/d/renamed"
  for kind in fileaccessinfo filealigninfo fileallinfo filebasicinfo fileeainfo filefsfullsizeinfo fileinternalinfo filemodeinfo \
    filepositioninfo filestandardinfo filestreaminfo fsctl-getobjid getcompression list-snapshots quota secdesc; do
    try smbinfo "$kind" "$mnt/d/renamed"
  done
  try smbinfo setcompression default "$mnt/d/renamed"
  sparse "$mnt/d/holes"
  try copy_range "$mnt/d/renamed" "$mnt/d/copy"
  try cp --reflink=always "$mnt/d/renamed" "$mnt/d/clone"
  stat "$mnt/d/renamed" >/dev/null
  df "$mnt" >/dev/null
  try cat "$mnt/d/nothing"
  try mkdir "$mnt/d"
  try rmdir "$mnt/d"
  for n in $(seq 20); do : >"$mnt/d/file-$n-with-a-name-of-some-length"; done
  ls "$mnt/d" >/dev/null
  sleep 3                                            # idle: ECHO
  rm -r "$mnt/d"
  umount "$mnt"
  mount_it cache=none                                # reads and writes without the page cache
  printf '%0200d' 7 >"$mnt/direct"
  cat "$mnt/direct" >/dev/null
  rm "$mnt/direct"
}

# Ranges of a file that somebody holds on the server too. With an oplock the client would keep its locks to itself.
locks() {
  echo N >/sys/module/cifs/parameters/enable_oplocks
  umount "$mnt"
  mount_it cache=none
  printf '%0200d' 7 >"$mnt/locked"
  python3 - "$mnt/locked" "$share/locked" <<'PY'
import fcntl, os, sys, time
file, behind = (os.open(name, os.O_RDWR) for name in sys.argv[1:])
def attempt(*lock):
    try:
        fcntl.lockf(file, *lock)
    except OSError:
        pass
if os.fork() == 0:
    fcntl.lockf(behind, fcntl.LOCK_EX, 10, 50)
    time.sleep(3)
    os._exit(0)
time.sleep(1)
attempt(fcntl.LOCK_SH, 10, 0)
attempt(fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 100)
attempt(fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 50)
attempt(fcntl.LOCK_UN, 10, 0)
os.close(file)
os.wait()
PY
  rm "$mnt/locked"
  echo Y >/sys/module/cifs/parameters/enable_oplocks
}

record() {  # set, mount options
  local set=$1
  options=$2
  echo "== $set ($options)"
  dumpcap -q -i lo -f 'tcp port 445' -w "/tmp/$set.pcapng" >/dev/null 2>&1 & local dumpcap=$!
  until [ -s "/tmp/$set.pcapng" ]; do sleep 0.2; done
  mount_it "cache=strict"
  case $set in *-locks) locks ;; *-*) short "$set" ;; *) work "$set" ;; esac
  umount "$mnt"
  sleep 2
  kill -INT $dumpcap; wait $dumpcap || true
  cp "/tmp/$set.pcapng" "$out/"
}

declare -A sets=([2.1]=vers=2.1 [3.1.1]=vers=3.1.1 [3.1.1-signed]=vers=3.1.1,sign
                 [3.1.1-locks]=vers=3.1.1 [3.1.1-aes-128-gcm]=vers=3.1.1,seal)
[ $# -gt 0 ] || set -- "${!sets[@]}"
for set in "$@"; do record "$set" "${sets[$set]}"; done
dmesg | grep -iE 'cifs|ksmbd' | tail -20 || true
