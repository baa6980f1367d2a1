"""Real peers for the interop tests: Samba's smbd and smbclient, our two binaries, and packet captures.

Only the standard library. Everything lives in a temporary directory and on 127.0.0.1; processes are ended by pid.
"""
import getpass
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

USER, PASSWORD = "alice", "Passw0rd"
ROOT = Path(__file__).resolve().parents[2]


signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are ended, too


class Missing(Exception):
    """A peer that this machine does not have. Counted as skipped; a failure where CI=true."""


def tool(name):
    """The path of a peer's program, also where an ordinary user's PATH does not lead."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/local/sbin")
    if not path:
        raise Missing(f"{name} is not installed (see .ci/run deps)")
    return path


def ours(name):
    """One of our binaries: $SMB_BIN_DIR, or the build directory (release first)."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    places = [Path(os.environ["SMB_BIN_DIR"])] if "SMB_BIN_DIR" in os.environ else [target / "release", target / "debug"]
    for place in places:
        if (place / name).exists():
            return str(place / name)
    raise Missing(f"{name} is not built: cargo build --release -p {name}")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port, proc, log, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if proc.poll() is not None:
            raise RuntimeError(f"server ended with {proc.returncode}:\n{tail(log)}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"nothing listens on {port} after {seconds} s:\n{tail(log)}")


def tail(path, lines=30):
    try:
        return "\n".join(Path(path).read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def stop(proc, seconds=10):
    """Ends one process (group) that we started; returns its exit status."""
    if proc.poll() is None:
        proc.send_signal(signal.SIGTERM)
        try:
            proc.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(proc.pid, signal.SIGKILL)
            proc.wait()
    return proc.returncode


class Smbd:
    """A private smbd. `options` are extra [global] lines, `sections` further shares.

    The SMB user is mapped to whoever runs the test, so that no account is needed and root is not either.
    """

    def __init__(self, work, share=None, sections="", **options):
        self.dir = Path(work) / "smbd"
        self.share = Path(share) if share else self.dir / "share"
        self.port = free_port()
        for d in ("private", "lock", "state", "cache", "pid", "ncalrpc"):
            (self.dir / d).mkdir(parents=True, exist_ok=True)
        self.share.mkdir(exist_ok=True)
        self.share.chmod(0o777)
        me = getpass.getuser()
        (self.dir / "users.map").write_text(f"{me} = {USER}\n")
        self.conf = self.dir / "smb.conf"
        extra = "\n".join(f"\t{k.replace('_', ' ')} = {v}" for k, v in options.items())
        self.conf.write_text(f"""[global]
	netbios name = PEER
	workgroup = WORKGROUP
	server role = standalone server
	interfaces = 127.0.0.1/8
	bind interfaces only = yes
	smb ports = {self.port}
	disable netbios = yes
	server min protocol = SMB2_02
	passdb backend = tdbsam
	username map = {self.dir}/users.map
	private dir = {self.dir}/private
	lock directory = {self.dir}/lock
	state directory = {self.dir}/state
	cache directory = {self.dir}/cache
	pid directory = {self.dir}/pid
	ncalrpc dir = {self.dir}/ncalrpc
	usershare max shares = 0
	log file = {self.dir}/log.smbd
	logging = file
	log level = 1
	load printers = no
	printing = bsd
	printcap name = /dev/null
	map to guest = never
{extra}

[share]
	path = {self.share}
	read only = no

{sections}""")
        subprocess.run([tool("smbpasswd"), "-c", self.conf, "-s", "-a", me], input=f"{PASSWORD}\n{PASSWORD}\n",
                       text=True, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.log = self.dir / "stdout"
        self.proc = subprocess.Popen([tool("smbd"), "-s", self.conf, "-F", "--no-process-group"],
                                     stdin=subprocess.DEVNULL, stdout=open(self.log, "wb"),
                                     stderr=subprocess.STDOUT, start_new_session=True)
        wait_for_port(self.port, self.proc, self.log)

    def stop(self):
        return stop(self.proc)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Capture:
    """tcpdump on the loopback interface for one port; the file is complete after stop()."""

    def __init__(self, path, port):
        self.path = Path(path)
        self.proc = subprocess.Popen(
            [tool("tcpdump"), "-i", "lo", "-Z", getpass.getuser(), "-U", "--immediate-mode", "-s", "0", "-B", "65536", "-w", self.path,
             f"tcp port {port}"], stderr=subprocess.PIPE, text=True, start_new_session=True)
        line = self.proc.stderr.readline()
        while line and "listening on" not in line:
            if "permission" in line.lower():
                stop(self.proc)
                raise Missing(f"tcpdump may not capture here: {line.strip()}")
            line = self.proc.stderr.readline()
        time.sleep(0.3)

    def stop(self):
        time.sleep(0.5)
        self.proc.send_signal(signal.SIGINT)
        report = self.proc.communicate(timeout=20)[1]
        lost = re.search(r"(\d+) packets? dropped by kernel", report)
        if lost and int(lost.group(1)):
            raise RuntimeError(f"the capture lost packets: {report}")
        return self.path

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.proc.poll() is None:
            self.stop()


def decode(capture, fields, keylog=None, signatures=True, shown="smb2"):
    """tshark's reading of a capture of port 445: a list of dicts, one per packet that matches `shown`."""
    words = [tool("tshark"), "-n", "-r", str(capture), "-Y", shown, "-T", "json",
             "-o", f"smb2.verify_signatures:{str(signatures).upper()}"]
    for line in (Path(keylog).read_text().splitlines() if keylog else []):
        if line and not line.startswith("#"):
            # Without decryption keys, which 2.x does not have, tshark 4.0 verifies no signature either: any will do.
            filled = ",".join(field or f"{1:032x}" for field in line.split(","))
            words += ["-o", f"uat:smb2_seskey_list:{filled}"]
    words += [w for f in fields for w in ("-e", f)]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=600, check=False)
    if done.returncode:
        raise RuntimeError(f"tshark: exit {done.returncode}\n{done.stderr}")
    return [packet["_source"].get("layers", {}) for packet in json.loads(done.stdout or "[]")]


def smbclient(port, commands, dialect="SMB3_11", protection="", share="share", options=(), user=USER, cwd=None,
              password=PASSWORD, check=True, timeout=300):
    """Runs smbclient commands (a list) over one connection. Returns the completed process, outputs merged."""
    words = [tool("smbclient"), "-s", "/dev/null", f"//127.0.0.1/{share}", "-p", str(port), "-U", f"{user}%{password}",
             "-m", dialect, f"--option=client min protocol={dialect}", "-t", "60"]
    if protection:
        words.append(f"--client-protection={protection}")
    words += [f"--option={o}" for o in options] + ["-c", "; ".join(commands)]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=cwd, timeout=timeout,
                          stdin=subprocess.DEVNULL)
    if check and (done.returncode or re.search(r"^(NT_STATUS_|.*NT_STATUS_\w+ (opening|listing|making|removing|deleting))",
                                              done.stdout, re.M)):
        raise RuntimeError(f"smbclient {dialect} {protection}: exit {done.returncode}\n{done.stdout}")
    return done


class OurServer:
    """smb-server with one share of a local directory."""

    def __init__(self, work, *extra, share=None):
        self.dir = Path(work) / "ours"
        self.dir.mkdir(parents=True, exist_ok=True)
        self.share = Path(share) if share else self.dir / "share"
        self.share.mkdir(exist_ok=True)
        self.port, self.log, self.keylog = free_port(), self.dir / "log", self.dir / "keylog"
        words = [ours("smb-server"), "--listen", f"127.0.0.1:{self.port}", "--user", f"{USER}:{PASSWORD}",
                 "--share", f"share={self.share}", "--keylog", self.keylog, *extra]
        self.proc = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=open(self.log, "wb"),
                                     stderr=subprocess.STDOUT, start_new_session=True)
        wait_for_port(self.port, self.proc, self.log)

    def stop(self):
        """Ends it and holds it to its contract: SIGTERM drains and exits 0."""
        if self.proc.poll() is not None:
            raise RuntimeError(f"smb-server was gone with {self.proc.returncode}:\n{tail(self.log)}")
        status = stop(self.proc)
        if status:
            raise RuntimeError(f"smb-server exits {status} on SIGTERM:\n{tail(self.log)}")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        else:
            stop(self.proc)


class Refused(Exception):
    """A client said no. The text is what it printed."""


# What a case asks for, in each program's words.
DIALECTS = {"2.0.2": "SMB2_02", "2.1": "SMB2_10", "3.0": "SMB3_00", "3.0.2": "SMB3_02", "3.1.1": "SMB3_11"}
SIGNING = {"gmac": "AES-128-GMAC", "cmac": "AES-128-CMAC", "hmac": "HMAC-SHA256"}
CIPHERS = {"aes-128-gcm": "AES-128-GCM", "aes-256-gcm": "AES-256-GCM", "aes-128-ccm": "AES-128-CCM",
           "aes-256-ccm": "AES-256-CCM"}


def printed_keys(text):
    """The keys smbclient printed under `debug encryption`: one dict per session, as {name: hex}, in its words."""
    sessions = []
    for block in re.split(r"(?=debug encryption: dumping generated session keys)", text)[1:]:
        found = {}
        for name, dump in re.findall(r"^(Session Id|Session Key|Signing Key|App Key|ServerIn Key|ServerOut Key)"
                                     r"\s*:?(.*(?:\n\[\d{4}\].*)*)", block, re.M | re.I):
            lines = ("[" + line.split("[", 1)[1] for line in dump.splitlines() if "[" in line)
            found[name.lower().replace(" ", "-")] = "".join(
                "".join(re.findall(r"\b[0-9A-Fa-f]{2}\b", line.split("]", 1)[1][:52])) for line in lines).lower()
        sessions.append(found)
    return sessions


class Smbclient:
    """smbclient, one process for each operation. Paths use /. With a key log, it is made to print its keys."""

    def __init__(self, port, dialect, protection, algorithm=None, keylog=None, **_):
        self.port, self.dialect, self.keylog = port, DIALECTS[dialect], keylog
        self.protection = {"plain": "off", "signed": "sign", "sealed": "encrypt"}[protection]
        self.options = []
        if algorithm in SIGNING:
            self.options.append(f"client smb3 signing algorithms={SIGNING[algorithm]}")
        if algorithm in CIPHERS:
            self.options.append(f"client smb3 encryption algorithms={CIPHERS[algorithm]}")

    def run(self, *commands, **kind):
        options = self.options + (["debug encryption=yes"] if self.keylog else [])
        done = smbclient(self.port, commands, self.dialect, self.protection, options=options, check=False, **kind)
        if self.keylog:
            with open(self.keylog, "a") as log:
                for k in printed_keys(done.stdout):
                    log.write(f"{k['session-id']},{k['session-key']},{k['serverout-key']},{k['serverin-key']}\n")
        if done.returncode or "NT_STATUS_" in done.stdout:
            raise Refused(f"smbclient {self.dialect} {self.protection} {self.options}: {'; '.join(commands)}\n"
                          f"exit {done.returncode}\n{done.stdout}")
        return done.stdout

    def mkdir(self, path):
        self.run(f'mkdir "{path}"')

    def rmdir(self, path):
        self.run(f'rmdir "{path}"')

    def put(self, local, path):
        self.run(f'put "{local}" "{path}"')

    def get(self, path, local):
        self.run(f'get "{path}" "{local}"')

    def ls(self, path):
        text = self.run(f'cd "{path}"', "ls")
        found = re.findall(r"^  (.*?)\s+([A-Z]*)\s+(\d+)  \w{3} \w{3} .*$", text, re.M)
        return {name: int(size) for name, _, size in found if name not in (".", "..")}

    def size(self, path):
        text = self.run(f'ls "{path}"')
        return int(re.search(r"\s(\d+)  \w{3} \w{3} ", text).group(1))

    def rename(self, old, new):
        self.run(f'rename "{old}" "{new}"')

    def delete(self, path):
        self.run(f'del "{path}"')


class OurClient:
    """smb-client, one process for each operation."""

    def __init__(self, port, dialect, protection, algorithm=None, keylog=None, share="share", password=PASSWORD):
        self.program, self.url = ours("smb-client"), f"smb://{USER}@127.0.0.1:{port}/{share}/"
        self.password = password
        self.words = ["--transport", "tcp", "--dialect", dialect]
        self.words += {"plain": ["--signing", "off"], "signed": ["--signing", "required"], "sealed": ["--encrypt"]}[protection]
        if algorithm in SIGNING:
            self.words += ["--signing-algorithm", algorithm]
        if algorithm in CIPHERS:
            self.words += ["--cipher", algorithm]
        if keylog:
            self.words += ["--keylog", str(keylog)]

    def run(self, verb, *words):
        line = [self.program, verb, *map(str, words), *self.words]
        done = subprocess.run(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=300, env=dict(os.environ, SMB_PASSWORD=self.password), check=False)
        if done.returncode:
            raise Refused(f"{' '.join(line)}\nexit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def mkdir(self, path):
        self.run("mkdir", self.url + path)

    def rmdir(self, path):
        self.run("rm", self.url + path)

    def put(self, local, path):
        self.run("put", local, self.url + path)

    def get(self, path, local):
        self.run("get", self.url + path, local)

    def ls(self, path):
        return {e["name"]: e["size"] for e in json.loads(self.run("ls", self.url + path, "--json"))}

    def size(self, path):
        return json.loads(self.run("stat", self.url + path, "--json"))["size"]

    def rename(self, old, new):
        self.run("mv", self.url + old, self.url + new)

    def told(self, verb, *words):
        """What a verb says as JSON."""
        return json.loads(self.run(verb, *words, "--json"))

    def delete(self, path):
        self.run("rm", self.url + path)


def peer_check(port, required, share="share", user=USER, password=PASSWORD):
    """Our client library's own list of what a server must be able to do; raises where one of `required` fails."""
    line = [ours("examples/peer_check"), f"127.0.0.1:{port}", share, user, "--require", ",".join(required)]
    done = subprocess.run(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=300, env=dict(os.environ, SMB_PASSWORD=password), check=False)
    if done.returncode:
        raise Refused(f"{' '.join(line)}\nexit {done.returncode}\n{done.stdout}")
    return done.stdout
