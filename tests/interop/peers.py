"""Real peers for the interop tests: Samba's smbd and smbclient, our two binaries, and packet captures.

Only the standard library. Everything lives in a temporary directory and on 127.0.0.1; processes are ended by pid.
"""
import getpass
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

USER, PASSWORD = "alice", "Passw0rd"
ROOT = Path(__file__).resolve().parents[2]


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
    """A private smbd. `options` are extra [global] lines.

    The SMB user is mapped to whoever runs the test, so that no account is needed and root is not either.
    """

    def __init__(self, work, **options):
        self.dir = Path(work) / "smbd"
        self.share = self.dir / "share"
        self.port = free_port()
        for d in ("private", "lock", "state", "cache", "pid", "ncalrpc", "share"):
            (self.dir / d).mkdir(parents=True, exist_ok=True)
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
""")
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
