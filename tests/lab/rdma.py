#!/usr/bin/env python3
"""usage (as root, in the lab VM): rdma.py rxe|siw [PART...]

SMB Direct on a soft device: the conformance suites of smb-direct, our server under the kernel's client, our client on
ksmbd, ours on ours, a device and a link that go away, what is left behind, and what tshark makes of it. One line for each
part; exit status 1 if one failed. $VERBS_LAB: the test program of smb-direct.
"""
import json
import mmap
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "interop"))
import peers  # noqa: E402

KIND = sys.argv[1]
ADDRESS, DEVICE = "10.0.2.15", "rdma0"
USER, PASSWORD = peers.USER, peers.PASSWORD
SIZES = [0, 1, 4095, 4097, 65_537, 1_000_003, 8 << 20]
LARGE = 32 << 20
# What the kernel says when something is wrong with itself.
TROUBLE = re.compile(r"BUG|WARNING|Oops|Call Trace|use-after-free|general protection|refcount|corrupt|hung task", re.I)
# What tshark 4.0 says of the NegTokenInit2 hint of a NEGOTIATE response, which is where RFC 4178 has the mechListMIC.
HINT = "OctetString expected but class:UNIVERSAL(0) Constructed tag:16 was unexpected"
WORK = Path(tempfile.mkdtemp())
WORK.chmod(0o755)  # ksmbd looks for its share as the user


def run(*words, check=True, timeout=240, **options):
    done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=timeout, check=False, stdin=subprocess.DEVNULL, **options)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(map(str, words))}: exit {done.returncode}\n{done.stdout}")
    return done.stdout


def wait_for(what, condition, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.1)
    raise RuntimeError(f"not in {seconds} s: {what}")


def add_device():
    run("rdma", "link", "add", DEVICE, "type", KIND, "netdev", "eth0")
    active()


class Server:
    """Our server on the device; `last` is what the log says of connections that ended."""

    def __init__(self, *extra):
        self.share = Path(tempfile.mkdtemp(dir=WORK))
        self.log = WORK / f"server-{time.monotonic_ns()}.log"
        words = [peers.ours("smb-server"), "--listen", "127.0.0.1:4450", "--listen-rdma", f"verbs://{ADDRESS}:5445",
                 "--user", f"{USER}:{PASSWORD}", "--share", f"share={self.share}", *extra]
        self.proc = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=open(self.log, "wb"),
                                     stderr=subprocess.STDOUT, start_new_session=True,
                                     env={**os.environ, "RUST_LOG": "smb_server=info,smb_direct=info", "NO_COLOR": "1"})
        wait_for("our server", lambda: "listening verbs" in self.text() or self.proc.poll() is not None)
        if self.proc.poll() is not None:
            raise RuntimeError(f"our server does not start:\n{self.text()}")

    def text(self):
        return re.sub(r"\x1b\[[0-9;]*m", "", self.log.read_text(errors="replace"))

    def ended(self):
        """Of each connection over RDMA that has ended: what was pushed, pulled and sent inline."""
        lines = [line for line in self.text().splitlines() if "disconnected" in line and "Rdma" in line]
        return [{name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", line)} for line in lines]

    def stop(self):
        if self.proc.poll() is not None or peers.stop(self.proc):
            raise RuntimeError(f"our server ended with {self.proc.returncode}:\n{self.text()[-3000:]}")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        else:
            peers.stop(self.proc)
            print(f"     the server's log ends:\n{self.text()[-2000:]}")


class Ksmbd:
    """The kernel's server."""

    def __init__(self):
        self.share = Path(tempfile.mkdtemp(dir=WORK))
        self.share.chmod(0o777)
        etc = Path("/etc/ksmbd")
        etc.mkdir(exist_ok=True)
        (etc / "smb.conf").write_text(f"[global]\n server multi channel support = yes\n"
                                      f" server min protocol = SMB3_11\n[share]\n path = {self.share}\n read only = no\n")
        run("modprobe", "ksmbd")
        run("ksmbd.adduser", "-a", USER, "-p", PASSWORD, "-c", etc / "smb.conf")
        self.proc = subprocess.Popen(["ksmbd.mountd", "-n", "-c", etc / "smb.conf"], stdin=subprocess.DEVNULL,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        wait_for("ksmbd", lambda: ":445 " in run("ss", "-ltn"))
        time.sleep(1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        peers.stop(self.proc)
        subprocess.run("echo hard >/sys/class/ksmbd-control/kill_server; sleep 1; modprobe -r ksmbd", shell=True, check=False)


def client(*words, check=True, signing="allowed", timeout=240):
    """Our client over RDMA; its report."""
    text = run(peers.ours("smb-client"), *words, "--transport", "rdma", "--signing", signing, "--json", check=check,
               timeout=timeout)
    return json.loads(text.splitlines()[-1]) if check else text


def url(path, share="share"):
    return f"smb://{USER}:{PASSWORD}@{ADDRESS}/{share}/{path}"


def source(size):
    path = WORK / f"source{size}"
    if not path.exists():
        path.write_bytes(os.urandom(size))
    return path


def same(one, other):
    if Path(one).read_bytes() != Path(other).read_bytes():
        raise RuntimeError(f"{one} and {other} differ")


# --- parts -----------------------------------------------------------------------------------------------------------


class Mount:
    """A share of the server on the device, mounted by the kernel's client over RDMA."""

    def __init__(self, *options):
        self.at = Path(tempfile.mkdtemp())
        self.options = ",".join(("rdma", "vers=3.1.1", f"username={USER}", f"password={PASSWORD}", "sec=ntlmssp", *options))
        self.up()

    def up(self):
        run("mount", "-t", "cifs", f"//{ADDRESS}/share", self.at, "-o", self.options)

    def again(self):
        run("umount", self.at)
        self.up()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        run("umount", "-l", self.at, check=False)


def kernel_client():
    """The kernel mounts our server and copies both ways."""
    with Server() as server:
        with Mount() as mount:
            at = mount.at
            debug = Path("/proc/fs/cifs/DebugData").read_text()
            if "SMBDirect" not in debug:
                raise RuntimeError(f"not over SMB Direct:\n{debug}")
            for size in [*SIZES, LARGE]:
                run("cp", source(size), at / f"f{size}")
                same(source(size), server.share / f"f{size}")
            mount.again()  # read back without the client's cache
            for size in [*SIZES, LARGE]:
                same(source(size), at / f"f{size}")
            direct(at, server.share)
            mapped(at, server.share)
            at_once(at, server.share)
            synced(at, server.share)
        moved = wait_for("the end of the connections", lambda: total(server.ended(), 2))
    bytes_up = sum(SIZES) + LARGE
    if moved["pulled"] < bytes_up or moved["pushed"] < bytes_up * 9 // 10:
        raise RuntimeError(f"not placed: {moved}")
    return f"pushed {moved['pushed']}, pulled {moved['pulled']}, inline {moved['read_inline']}+{moved['written_inline']}"


def total(ended, connections):
    if len(ended) < connections:
        return None
    return {name: sum(one[name] for one in ended) for name in ("pushed", "pulled", "read_inline", "written_inline")}


def direct(at, share):
    run("dd", f"if={source(8 << 20)}", f"of={at}/direct", "bs=1M", "oflag=direct", "conv=fsync")
    same(source(8 << 20), share / "direct")
    run("dd", f"if={at}/direct", f"of={WORK}/back", "bs=1M", "iflag=direct")
    same(source(8 << 20), WORK / "back")


def mapped(at, share):
    run("cp", source(1_000_003), at / "mapped")
    with open(at / "mapped", "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        memory[500_000:500_100] = b"m" * 100
        memory.flush()
        os.fsync(file.fileno())
    expected = bytearray(source(1_000_003).read_bytes())
    expected[500_000:500_100] = b"m" * 100
    if (share / "mapped").read_bytes() != expected:
        raise RuntimeError("what was written through memory differs")


def at_once(at, share):
    copying = [subprocess.Popen(["sh", "-c", f"cp {source(8 << 20)} {at}/once{n} && cmp {source(8 << 20)} {at}/once{n}"])
               for n in range(4)]
    if any(one.wait(200) for one in copying):
        raise RuntimeError("one of four processes failed")
    for n in range(4):
        same(source(8 << 20), share / f"once{n}")


def synced(at, share):
    with open(at / "synced", "wb", buffering=0) as file:
        for part in range(8):
            file.write(bytes([part]) * 70_001)
            os.fsync(file.fileno())
            if (share / "synced").stat().st_size != (part + 1) * 70_001:
                raise RuntimeError("fsync came back before the bytes were there")


def kernel_client_signed():
    """Signed, nothing is placed."""
    with Server() as server:
        with Mount("sign") as mount:
            run("cp", source(1_000_003), mount.at / "f")
            same(source(1_000_003), server.share / "f")
            mount.again()
            same(source(1_000_003), mount.at / "f")
        moved = wait_for("the end of the connections", lambda: total(server.ended(), 2))
    if moved["pulled"] or moved["pushed"] or moved["written_inline"] < 1_000_003:
        raise RuntimeError(f"placed: {moved}")
    return f"inline {moved['read_inline']}+{moved['written_inline']}"


def both_ways(share):
    """Copies with our client, there and back; what it counted."""
    moved = {"pushed": 0, "pulled": 0, "inline": 0}
    for size in [*SIZES, LARGE]:
        reports = [client("put", source(size), url(f"c{size}"))]
        same(source(size), share / f"c{size}")
        reports.append(client("get", url(f"c{size}"), WORK / "got"))
        same(source(size), WORK / "got")
        for report in reports:
            for name in moved:
                moved[name] += report["channels"][0][name]
    if moved["pushed"] < LARGE or moved["pulled"] < LARGE:
        raise RuntimeError(f"not placed: {moved}")
    return moved


def ksmbd():
    """Our client on the kernel's server."""
    with Ksmbd() as server:
        moved = both_ways(server.share)
        signed = client("put", source(1_000_003), url("signed"), signing="required")["channels"][0]
        same(source(1_000_003), server.share / "signed")
        if signed["pulled"] or not signed["inline_because"]:
            raise RuntimeError(f"signed, and placed or not said why: {signed}")
    return f"{moved}; signed: {signed['inline_because']}"


def ours():
    """Our client on our server."""
    with Server() as server:
        moved = both_ways(server.share)
        theirs = wait_for("the end of the connections", lambda: total(server.ended(), 2 * len(SIZES) + 2))
        if (theirs["pushed"], theirs["pulled"]) != (moved["pushed"], moved["pulled"]):
            raise RuntimeError(f"the two sides count differently: {moved}, {theirs}")
    return f"{moved}, on both sides"


def verbs_lab(what, *words):
    """The test program of smb-direct; the lines it prints."""
    return run(os.environ["VERBS_LAB"], ADDRESS, what, *words).splitlines()


def conformance():
    """The suites of both layers of smb-direct."""
    # Soft iWARP does not check who may read (siw_qp_sq_proc_tx references what it sends without a check), so that wrong access goes unnoticed.
    cannot = ["wrong_access"] if KIND == "siw" else []
    lines = verbs_lab("provider") + verbs_lab("transport", *cannot)
    return f"{sum(line.startswith('PASS') for line in lines)} tests"


def cycles():
    """200 connections that come and go, both ends in one process, leave no object and no descriptor behind."""
    before = resources()
    verbs_lab("cycles", 200, 8 if KIND == "rxe" else 1)  # soft iWARP refuses some of several at a time, under load
    if (after := resources()) != before:
        raise RuntimeError(f"before: {before}, after: {after}")
    return "200 connections"


def locked_memory():
    """A user who may lock no memory is told so, and told the name of the limit."""
    with Server():
        text = run("setpriv", "--bounding-set", "-ipc_lock", "--inh-caps", "-ipc_lock", "prlimit", "--memlock=65536:65536",
                   peers.ours("smb-client"), "ls", url(""), "--transport", "rdma", check=False)
    if "RLIMIT_MEMLOCK" not in text:
        raise RuntimeError(text)
    return text.strip().splitlines()[-1]


def resources():
    """How many objects of each kind the device has, ours and the kernel's."""
    return run("rdma", "resource", "show").split(":", 1)[1].split()


LINK_DOWN = "ip link set eth0 down"
REMOVE = f"rdma link del {DEVICE}"
ADD = f"rdma link add {DEVICE} type {KIND} netdev eth0"
LINK_UP = "ip link set eth0 up; ip route replace default via 10.0.2.2"
if KIND == "rxe":
    # Linux 6.12: when the connection manager cannot send because the link is down, soft RoCE puts its queue pair into an
    # error for good (err: in rxe_requester), and nobody connects by the device any more (rping neither) until it is made anew.
    LINK_UP += f"; {REMOVE}; {ADD}"
PORT_DOWN, REMOVED = "port of the RDMA device is down", "RDMA device was removed"


def active():
    wait_for("an active device", lambda: "ACTIVE" in run("rdma", "link"))


def lost_by_both():
    """The device goes, then the link, in the midst of transfers of a process that has both ends, and lives on; it says so,
    and connects again."""
    await_active = "; until rdma link | grep -q ACTIVE; do sleep 0.1; done"
    verbs_lab("loss", REMOVE, REMOVED, ADD + await_active)
    verbs_lab("loss", LINK_DOWN, PORT_DOWN, LINK_UP + await_active)
    return "device removed, link down"


def interrupted(break_it, mend, says):
    """Our client is in the midst of a transfer when `break_it` is run, and says so within 5 s; `break_it` ends while our
    server lives on; once mended, the next client is served; and nothing is left of the first."""
    with Server() as server:
        client("put", source(1), url("first"))
        wait_for("its end", lambda: server.ended())
        copying = subprocess.Popen([peers.ours("smb-client"), "put", source(LARGE), url("slow"), "--transport", "rdma",
                                    "--signing", "allowed", "--limit", "4MB"], stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL)
        arriving = server.share / "slow"
        wait_for("the transfer", lambda: arriving.exists() and arriving.stat().st_blocks or copying.poll() is not None, 60)
        if copying.poll() is not None:
            raise RuntimeError(f"it did not run: {copying.stdout.read()}")
        began = time.monotonic()
        run("sh", "-c", break_it, timeout=30)
        said = copying.communicate(timeout=60)[0]
        took = time.monotonic() - began
        if copying.returncode == 0 or took > 5 or says not in said:
            raise RuntimeError(f"exit {copying.returncode} after {took:.1f} s: {said}")
        wait_for("the server's end of it", lambda: len(server.ended()) >= 2, 10)
        if says not in server.text():
            raise RuntimeError(f"the server does not say why:\n{server.text()[-2000:]}")
        mend()
        wait_for("a connection again", lambda: "bytes" in client("put", source(65_537), url("again"), check=False), 30)
        same(source(65_537), server.share / "again")
        wait_for("the end of it", lambda: not objects_of(server.proc.pid), 10)
    return f"after {took:.1f} s: {said.strip().splitlines()[0]}"


def objects_of(pid):
    """What a process has on the device but for what it keeps of one that it has used."""
    return [line for kind in ("qp", "cq", "mr") for line in run("rdma", "resource", "show", kind).splitlines()
            if f"pid {pid} " in line]


def device_removed():
    """The device goes while our client and our server transfer, and comes back."""
    return interrupted(REMOVE, add_device, REMOVED)


def link_down():
    """The link goes down while our client and our server transfer, and comes up."""
    return interrupted(LINK_DOWN, lambda: (run("sh", "-c", LINK_UP), active()), PORT_DOWN)


def dissected():
    """tshark reads ours with the kernel (siw only: it runs over TCP)."""
    capture = WORK / "siw.pcapng"
    dumping = subprocess.Popen(["dumpcap", "-q", "-i", "lo", "-w", str(capture)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    wait_for("the capture", capture.exists)
    time.sleep(1)
    with Server() as server, Mount() as mount:
        run("cp", source(1_000_003), mount.at / "f")
        mount.again()
        same(source(1_000_003), mount.at / "f")
    time.sleep(1)
    dumping.terminate()
    dumping.wait(20)
    lines = run("tshark", "-n", "-r", capture, "-o", "tcp.try_heuristic_first:TRUE", "-T", "fields", "-e", "frame.protocols",
                "-e", "_ws.malformed", "-e", "_ws.expert.message").splitlines()
    protocols = {name for line in lines for name in line.split("\t")[0].split(":")}
    wanted = {"iwarp_mpa", "iwarp_ddp_rdmap", "smb_direct", "smb2"}
    if wanted - protocols:
        raise RuntimeError(f"not dissected: {wanted - protocols}; found {protocols}")
    bad = [line for line in lines if "malformed" in line.lower() and not line.endswith(HINT)]
    if bad:
        raise RuntimeError(f"{len(bad)} malformed: {bad[:3]}")
    return f"{len(lines)} packets, {', '.join(sorted(wanted))}"


PARTS = {part.__name__: part for part in
         (conformance, kernel_client, kernel_client_signed, ksmbd, ours, lost_by_both, device_removed, link_down, cycles,
          locked_memory, dissected)}


# The kernel's SMB Direct client disconnects in a work item (smbd_disconnect_rdma_work) while it may be destroying the same
# cm_id: iw_cm_disconnect then finds a state that it takes for impossible. Both ends of that race are the kernel's.
KERNELS_OWN = "kernel BUG at drivers/infiniband/core/iwcm.c"


def clean():
    return [line for line in run("dmesg").splitlines() if TROUBLE.search(line)]


def one(part):
    began, before = time.monotonic(), len(clean())
    try:
        said = part()
        if trouble := clean()[before:]:
            if any(KERNELS_OWN in line for line in trouble):
                print(f"the guest's kernel ran into a race of its own in {part.__name__}: {KERNELS_OWN}", flush=True)
                sys.exit(75)  # run asks a fresh guest
            raise RuntimeError("the kernel complains:\n" + "\n".join(trouble))
    except Exception:  # noqa: BLE001: whatever it is, it is this part's failure
        print(f"FAIL {KIND} {part.__name__} ({time.monotonic() - began:.0f} s)\n{traceback.format_exc()}", flush=True)
        print("\n".join(run("dmesg").splitlines()[-15:]), flush=True)
        return False
    print(f"PASS {KIND} {part.__name__} ({time.monotonic() - began:.0f} s): {said}", flush=True)
    return True


# Buffers are locked in memory, also where soft iWARP asks no capability instead.
resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
# In this order: a device that goes leaves the last module first, and ib_uverbs waits for programs to let go, which learn
# of it from rdma_cm.
for module in ({"rxe": "rdma_rxe", "siw": "siw"}[KIND], "ib_uverbs", "rdma_ucm", "cifs"):
    run("modprobe", module)
add_device()
chosen = sys.argv[2:] or [name for name in PARTS if name != "dissected" or KIND == "siw"]
passed = [one(PARTS[name]) for name in chosen]
run("rdma", "link", "del", DEVICE, check=False)
sys.exit(0 if all(passed) else 1)
