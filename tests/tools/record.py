#!/usr/bin/env python3
"""Records the golden captures of smbclient with smbd: tests/tools/record.py [SET…]

Each set becomes smb-proto/tests/data/golden/samba-<set>/. `session.txt` names the account and lists the keys that
smbclient itself printed for each session, so that signatures and sealed messages can be checked against a peer's
own numbers. The account exists only in the recording.
"""
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "interop"))
import golden
from peers import PASSWORD, ROOT, USER, Capture, Smbd, printed_keys, smbclient, tool

OUT = ROOT / "smb-proto/tests/data/golden"
SIGN = "client smb3 signing algorithms"
CIPHER = "client smb3 encryption algorithms"
SETS = {
    "2.0.2": ("SMB2_02", "", ()), "2.1": ("SMB2_10", "", ()), "3.0": ("SMB3_00", "", ()),
    "3.0.2": ("SMB3_02", "", ()), "3.1.1": ("SMB3_11", "", ()),
    "2.0.2-signed": ("SMB2_02", "sign", ()), "2.1-signed": ("SMB2_10", "sign", ()),
    "3.0-signed": ("SMB3_00", "sign", ()), "3.0.2-signed": ("SMB3_02", "sign", ()),
    "3.1.1-gmac": ("SMB3_11", "sign", ()), "3.1.1-cmac": ("SMB3_11", "sign", (f"{SIGN}=AES-128-CMAC",)),
    "3.1.1-hmac": ("SMB3_11", "sign", (f"{SIGN}=HMAC-SHA256",)),
    "3.0-sealed": ("SMB3_00", "encrypt", ()),
    "3.1.1-aes-128-gcm": ("SMB3_11", "encrypt", (f"{CIPHER}=AES-128-GCM",)),
    "3.1.1-aes-256-gcm": ("SMB3_11", "encrypt", (f"{CIPHER}=AES-256-GCM",)),
    "3.1.1-aes-128-ccm": ("SMB3_11", "encrypt", (f"{CIPHER}=AES-128-CCM",)),
    "3.1.1-aes-256-ccm": ("SMB3_11", "encrypt", (f"{CIPHER}=AES-256-CCM",)),
}
SHORT = ["mkdir d", "cd d", "put small small", "get small back", "ls", "del small", "cd ..", "rmdir d"]
LONG = ["mkdir d", "cd d", "put empty empty", "put one one", "put small small", "put big big", "get empty b0",
        "get one b1", "get small b200", "get big b64k", "ls", "allinfo small", "rename small renamed", "volume",
        "scopy renamed copy", "setmode renamed +r", "setmode renamed -r", "allinfo renamed", "posix_whoami",
        "get missing x", "mkdir ../d", "cd nowhere", "rmdir ../d", "utimes renamed -1 2020:01:02-03:04:05 -1 -1",
        "showacls", "ls", "showacls", "rd ..", "du", "del empty", "del one", "del renamed", "del copy", "del big",
        "cd ..", "rmdir d", "logoff"]


def keys(text):
    """The keys that smbclient printed, one block per session."""
    lines = []
    for session in printed_keys(text):
        for name, digits in session.items():
            if name == "session-id":
                digits = bytes.fromhex(digits)[::-1].hex()  # as the number, not as on the wire
            lines.append(f"{name} {digits}\n")
    return "".join(lines)


TORTURE = ["smb2.create.blob", "smb2.create.open", "smb2.lock.async", "smb2.lock.cancel", "smb2.lock.valid-request",
           "smb2.compound.related1", "smb2.compound.related2", "smb2.compound.related4", "smb2.compound.unrelated1",
           "smb2.compound.interim1", "smb2.compound_find.compound_find_related", "smb2.compound_async.flush_close",
           "smb2.dir.find", "smb2.dir.one", "smb2.getinfo.complex", "smb2.setinfo", "smb2.ioctl.sparse_qar",
           "smb2.ioctl.sparse_punch", "smb2.ioctl.network_interface_info", "smb2.ioctl.req_resume_key",
           "smb2.notify.dir", "smb2.notify.valid-req", "smb2.lease.break", "smb2.lease.v2_request",
           "smb2.oplock.batch1", "smb2.durable-open.reopen1", "smb2.durable-v2-open.reopen1",
           "smb2.durable-v2-open.reopen2", "smb2.session.reauth1", "smb2.multichannel.generic.num_channels",
           "smb2.rename.simple", "smb2.sdread", "smb2.read.eof", "smb2.session.expire1n", "smb2.credits.skipped_mid"]


def record_torture(work):
    """smbtorture as the client: create contexts, locks, leases, breaks, notify, cancel, compounds."""
    captures = []
    with Smbd(work, server_multi_channel_support="yes", kernel_oplocks="no", ea_support="yes",
              durable_handles="yes", kernel_share_modes="no", posix_locking="no") as server:
        for n, test in enumerate(TORTURE):
            with Capture(Path(work) / f"pcap{n}", server.port) as capture:
                done = subprocess.run([tool("smbtorture"), "-s", "/dev/null", "//127.0.0.1/share", "-p", str(server.port),
                                       "-U", f"{USER}%{PASSWORD}", "--option=torture:progress=no", test],
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
                                      cwd=work, check=False)
                captures.append(capture.stop())
            print(test, "ok" if done.returncode == 0 else "failed (its messages are real all the same)")
    selection = golden.Selection(1200)
    for path in captures:
        for frames in golden.conversations(path.read_bytes(), server.port):
            selection.take(frames)
    selection.finish()
    print(f"torture: {golden.write(selection, OUT / 'smbtorture-3.1.1')} messages")


def record(name, work):
    if name == "torture":
        record_torture(work)
        return ""
    dialect, protection, options = SETS[name]
    local = Path(work) / "local"
    local.mkdir(exist_ok=True)
    for file, size in (("empty", 0), ("one", 1), ("small", 200), ("big", 65537)):
        (local / file).write_bytes(bytes(i * 7 % 251 for i in range(size)))
    steps = LONG if not protection else SHORT
    with Smbd(work) as server:
        with Capture(Path(work) / "pcap", server.port) as capture:
            done = smbclient(server.port, steps, dialect, protection, options=(*options, "debug encryption=yes"),
                             cwd=local, check=False)
            text = done.stdout
            if not protection:
                smbclient(server.port, ["ls"], dialect, share="IPC$", check=False)
                smbclient(server.port, ["ls"], dialect, options=("client min protocol=NT1",), check=False)
                smbclient(server.port, ["ls"], dialect, share="nothing", check=False)
                smbclient(server.port, ["ls"], dialect, password="wrong", check=False)
            path = capture.stop()
    selection = golden.Selection(1500, sealed=24)
    for frames in golden.conversations(path.read_bytes(), server.port):
        selection.take(frames)
    selection.finish()
    count = golden.write(selection, OUT / f"samba-{name}")
    found = keys(text)
    (OUT / f"samba-{name}" / "session.txt").write_text(f"user {USER}\npassword {PASSWORD}\n{found}")
    print(f"{name}: {count} messages, {len(found.splitlines())} key lines")
    return text


def main():
    for name in sys.argv[1:] or [*SETS, "torture"]:
        with tempfile.TemporaryDirectory() as work:
            text = record(name, work)
            if sys.argv[1:]:
                print(text)


if __name__ == "__main__":
    main()
