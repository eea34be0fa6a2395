"""What the kernel is asked to keep a program from, through its C library alone.

Runs in the process that starts programs, so it imports nothing beyond the standard library.
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from tutelage.sandbox.limits import Limits
from tutelage.sandbox.seccomp import Machine, filter_of, machine

NEW_MOUNTS, NEW_NAMES, NEW_IPC = 0x00020000, 0x04000000, 0x08000000
NEW_USER, NEW_PIDS, NEW_NET = 0x10000000, 0x20000000, 0x40000000
BIND, RECURSIVE, PRIVATE, NO_SUID, NO_DEVICES, DETACH = 4096, 16384, 1 << 18, 2, 4, 2
DIE_WITH_PARENT, DUMPABLE, SET_SECCOMP, DROP_BOUND, SUBREAPER, NO_NEW_PRIVILEGES = (
    1,
    4,
    22,
    24,
    36,
    38,
)
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # Landlock's calls, alike everywhere
SET_ATTRIBUTES = 442  # mount_setattr, which came before Landlock and is numbered alike
HERE, WHOLE_TREE = -100, 0x8000
READ_ONLY, WITHOUT_SUID, WITHOUT_DEVICES = 1, 2, 4  # attributes of a mount
CAPABILITY_VERSION = 0x20080522
NOBODY = 65534
INSIDE = 1000  # who a program is, in its own user namespace
SCRATCH = "/scratch"
LAST_CAPABILITY = 63
LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo")
FILES = ("/etc/ld.so.cache", "/etc/localtime")
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
# rights of Landlock over files
WRITE_FILE, READ_FILE, READ_FOLDER, TRUNCATE = 1 << 1, 1 << 2, 1 << 3, 1 << 14
CHANGE_FOLDER = (1 << 4) | (1 << 5) | (1 << 7) | (1 << 8) | (1 << 12) | (1 << 13)


class Refused(Exception):
    """The kernel does not do what a sandbox needs."""


class Kernel:
    """The calls, each of which raises `Refused` where it fails."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None, use_errno=True)
        self._library.syscall.restype = ctypes.c_long
        known = machine()
        if known is None or not sys.platform.startswith("linux"):
            raise Refused("programs are confined on Linux alone, on x86-64 and arm64")
        self._machine: Machine = known
        self.landlock = self._library.syscall(CREATE_RULESET, None, 0, 1)

    def unshare(self, flags: int, what: str) -> None:
        """Leaves namespaces for new ones."""
        self._done(self._library.unshare(ctypes.c_int(flags)), what)

    def control(self, option: int, value: int) -> None:
        """Sets a property of this process."""
        done = self._library.prctl(ctypes.c_int(option), ctypes.c_ulong(value), 0, 0, 0)
        self._done(done, f"prctl {option}")

    def mount(self, source: str, target: str, kind: str | None, flags: int, options: str) -> None:
        """Mounts one thing."""
        done = self._library.mount(
            source.encode(),
            target.encode(),
            kind.encode() if kind else None,
            ctypes.c_ulong(flags),
            options.encode() or None,
        )
        self._done(done, f"mounting {target}")

    def seal(self, target: str, attributes: int) -> None:
        """Gives a mount, and all that is mounted within it, these attributes."""
        given = ctypes.create_string_buffer(struct.pack("QQQQ", attributes, 0, 0, 0))
        done = self._library.syscall(
            SET_ATTRIBUTES, HERE, target.encode(), WHOLE_TREE, given, ctypes.c_size_t(32)
        )
        self._done(done, f"making {target} read-only")

    def turn_to(self, root: str) -> None:
        """Makes a folder the root, and lets go of the old one."""
        os.chdir(root)
        number = self._machine.calls["pivot_root"]
        self._done(self._library.syscall(number, b".", b"."), "changing the root")
        self._done(self._library.umount2(b".", DETACH), "leaving the old root")
        os.chdir("/")

    def drop_capabilities(self) -> None:
        """Gives up every privilege over this process's own namespaces."""
        for number in range(LAST_CAPABILITY + 1):
            self._library.prctl(DROP_BOUND, ctypes.c_ulong(number), 0, 0, 0)
        header = ctypes.create_string_buffer(struct.pack("Ii", CAPABILITY_VERSION, 0))
        none = ctypes.create_string_buffer(24)
        number = self._machine.calls["capset"]
        self._done(self._library.syscall(number, header, none), "giving up capabilities")

    def restrict(self, readable: Sequence[str], writable: str) -> None:
        """Landlock: nothing but these may be read, nothing but the one folder written.

        From its third version on it denies truncation, which read-only mounts deny before
        that; from its fourth TCP as well, from its sixth abstract Unix sockets and signals to
        processes outside. It knows nothing of modes, owners, times and attributes of files:
        those the mounts and the filter of calls keep as they are.
        """
        version = self.landlock
        if version < 1:
            raise Refused("Landlock is not there or not enabled")
        read = READ_FILE | READ_FOLDER
        every = (1 << {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)) - 1
        attributes = struct.pack("QQQ", every, 3, 3)
        size = 8 if version < 4 else 16 if version < 6 else 24
        ruleset = self._library.syscall(CREATE_RULESET, attributes, ctypes.c_size_t(size), 0)
        self._done(ruleset, "Landlock's rules")
        for path in readable:
            self._allow(ruleset, path, read & every)
        for path in DEVICES:
            self._allow(ruleset, path, (READ_FILE | WRITE_FILE) & every)
        self._allow(ruleset, writable, (read | WRITE_FILE | TRUNCATE | CHANGE_FOLDER) & every)
        self._done(self._library.syscall(RESTRICT_SELF, ruleset, 0), "Landlock")
        os.close(ruleset)

    def refuse_calls(self) -> None:
        """Puts the filter of system calls in force."""
        instructions = filter_of(self._machine)
        kept = ctypes.create_string_buffer(instructions)
        program = struct.pack("HxxxxxxP", len(instructions) // 8, ctypes.addressof(kept))
        done = self._library.prctl(SET_SECCOMP, ctypes.c_ulong(2), program, 0, 0)
        self._done(done, "the filter of system calls")

    def _allow(self, ruleset: int, path: str, rights: int) -> None:
        try:
            held = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        if not os.path.isdir(path):
            rights &= READ_FILE | WRITE_FILE | TRUNCATE
        rule = struct.pack("=Qi", rights, held)
        self._done(self._library.syscall(ADD_RULE, ruleset, 1, rule, 0), f"Landlock, for {path}")
        os.close(held)

    def _done(self, answer: int, what: str) -> None:
        if answer < 0:
            raise Refused(f"{what}: {os.strerror(ctypes.get_errno())}")


def readable_paths() -> list[str]:
    """What Python and the libraries it loads are read from."""
    own = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")]
    own += [f"{sys.base_prefix}/lib", f"{sys.base_prefix}/lib64"]
    found = [path for path in (*own, *LIBRARIES, *FILES) if os.path.exists(path)]
    return list(dict.fromkeys(found))


def isolate(kernel: Kernel, root: str, size: int) -> None:
    """Moves this process, for good, into namespaces and a root of its own.

    The new root holds what Python is read from, a few devices and a scratch folder of
    `size` bytes; all but the scratch folder is mounted read-only, so that not even the owner
    of a library changes it. Root becomes nobody first; who has no privilege needs none.
    """
    own = os.open("/proc/self", os.O_RDONLY | os.O_DIRECTORY)
    apart = NEW_USER | NEW_MOUNTS | NEW_NET | NEW_IPC | NEW_NAMES | NEW_PIDS
    if os.geteuid() == 0:
        kernel.unshare(NEW_MOUNTS, "a mount namespace")
        _rooted(kernel, root, size, NOBODY)
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        kernel.control(DUMPABLE, 1)
        _apart(kernel, apart, own)
    else:
        _apart(kernel, apart, own)
        _rooted(kernel, root, size, INSIDE)
    os.close(own)


def confine(kernel: Kernel, readable: Sequence[str]) -> None:
    """What one program is denied, in force from here to its end."""
    kernel.drop_capabilities()
    kernel.control(NO_NEW_PRIVILEGES, 1)
    kernel.restrict(readable, SCRATCH)
    kernel.refuse_calls()


def limit(limits: Limits, *, threads: int | None) -> None:
    """The resource limits of one program; threads are counted where its user is its own."""
    processor = int(limits.seconds) + 1
    bounds = {
        resource.RLIMIT_CPU: processor,
        resource.RLIMIT_AS: limits.memory_bytes,
        resource.RLIMIT_FSIZE: limits.file_bytes,
        resource.RLIMIT_NOFILE: limits.files_open,
        resource.RLIMIT_CORE: 0,
    }
    if threads is not None:
        bounds[resource.RLIMIT_NPROC] = threads
    for kind, most in bounds.items():
        resource.setrlimit(kind, (most, most))


def _apart(kernel: Kernel, flags: int, own: int) -> None:
    user, group = os.geteuid(), os.getegid()
    kernel.unshare(flags, "user, network, mount, process and IPC namespaces")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{INSIDE} {user} 1"),
        ("gid_map", f"{INSIDE} {group} 1"),
    ):
        with os.fdopen(os.open(name, os.O_WRONLY, dir_fd=own), "w") as stream:
            stream.write(text)


def _rooted(kernel: Kernel, root: str, size: int, owner: int) -> None:
    kernel.mount("none", "/", None, RECURSIVE | PRIVATE, "")
    options = f"size={size},nr_inodes=8192,mode=755"
    kernel.mount("sandbox", root, "tmpfs", NO_SUID | NO_DEVICES, options)
    for path in (*readable_paths(), *DEVICES):
        target = Path(root + path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if os.path.isdir(path):
            target.mkdir(exist_ok=True)
        else:
            target.touch()
        kernel.mount(os.path.realpath(path), str(target), None, BIND | RECURSIVE, "")
        no_devices = 0 if path in DEVICES else WITHOUT_DEVICES
        kernel.seal(str(target), READ_ONLY | WITHOUT_SUID | no_devices)
    scratch = Path(root + SCRATCH)
    scratch.mkdir()
    os.chown(scratch, owner, owner)
    kernel.turn_to(root)
