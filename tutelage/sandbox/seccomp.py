"""The system calls a program is refused, as a filter the kernel runs before each of them."""

from __future__ import annotations

import errno
import platform
import struct
from collections.abc import Mapping
from dataclasses import dataclass

LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL, FAIL = 0x7FFF0000, 0x80000000, 0x00050000
NUMBER_AT, ARCHITECTURE_AT, FIRST_ARGUMENT_AT = 0, 4, 16
THREAD = 0x00010000  # of clone: anything else is another process
OTHER_ABI = 0x40000000  # x32 calls, numbered apart from those refused
REFUSED = (
    *("ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_open", "pidfd_getfd"),
    *("pidfd_send_signal", "execve", "execveat", "fork", "vfork", "socket", "io_uring_setup"),
    *("mount", "umount2", "pivot_root", "chroot", "unshare", "setns", "open_tree", "move_mount"),
    *("fsopen", "fsmount", "mount_setattr", "open_by_handle_at", "fanotify_init", "quotactl"),
    *("bpf", "perf_event_open", "userfaultfd", "keyctl", "add_key", "request_key", "syslog"),
    *("shmget", "semget", "msgget", "mq_open", "memfd_create", "memfd_secret", "personality"),
    *("init_module", "finit_module", "kexec_load", "reboot", "swapon", "acct", "iopl", "ioperm"),
    # what Landlock does not govern: modes, owners, times and attributes of files
    *("chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat"),
    *("utime", "utimes", "futimesat", "utimensat", "file_setattr", "setxattrat", "removexattrat"),
    *("setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr"),
)
LATER = {  # numbered alike wherever they came after the machines were unified
    **{"pidfd_send_signal": 424, "io_uring_setup": 425, "open_tree": 428, "move_mount": 429},
    **{"fsopen": 430, "fsmount": 432, "pidfd_open": 434, "pidfd_getfd": 438},
    **{"mount_setattr": 442, "memfd_secret": 447, "clone3": 435, "fchmodat2": 452},
    **{"setxattrat": 463, "removexattrat": 466, "file_setattr": 469},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A processor's audit number and its system calls by name."""

    audit: int
    calls: Mapping[str, int]


MACHINES = {
    "x86_64": Machine(
        audit=0xC000003E,
        calls={
            **{"clone": 56, "capset": 126, "prctl": 157, "pivot_root": 155, "mount": 165},
            **{"ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312},
            **{"execve": 59, "execveat": 322, "fork": 57, "vfork": 58, "socket": 41},
            **{"umount2": 166, "chroot": 161, "unshare": 272, "setns": 308},
            **{"open_by_handle_at": 304, "fanotify_init": 300, "quotactl": 179, "bpf": 321},
            **{"perf_event_open": 298, "userfaultfd": 323, "keyctl": 250, "add_key": 248},
            **{"request_key": 249, "syslog": 103, "shmget": 29, "semget": 64, "msgget": 68},
            **{"mq_open": 240, "memfd_create": 319, "personality": 135, "init_module": 175},
            **{"finit_module": 313, "kexec_load": 246, "reboot": 169, "swapon": 167},
            **{"acct": 163, "iopl": 172, "ioperm": 173, "chmod": 90, "fchmod": 91, "chown": 92},
            **{"fchmodat": 268, "fchown": 93, "lchown": 94, "fchownat": 260, "utime": 132},
            **{"utimes": 235, "futimesat": 261, "utimensat": 280, "setxattr": 188},
            **{"lsetxattr": 189, "fsetxattr": 190, "removexattr": 197, "lremovexattr": 198},
            **{"fremovexattr": 199},
            **LATER,
        },
    ),
    "aarch64": Machine(
        audit=0xC00000B7,
        calls={
            **{"clone": 220, "capset": 91, "prctl": 167, "pivot_root": 41, "mount": 40},
            **{"ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272},
            **{"execve": 221, "execveat": 281, "socket": 198},
            **{"umount2": 39, "chroot": 51, "unshare": 97, "setns": 268},
            **{"open_by_handle_at": 265, "fanotify_init": 262, "quotactl": 60, "bpf": 280},
            **{"perf_event_open": 241, "userfaultfd": 282, "keyctl": 219, "add_key": 217},
            **{"request_key": 218, "syslog": 116, "shmget": 194, "semget": 190, "msgget": 186},
            **{"mq_open": 180, "memfd_create": 279, "personality": 92, "init_module": 105},
            **{"finit_module": 273, "kexec_load": 104, "reboot": 142, "swapon": 224, "acct": 89},
            **{"fchmod": 52, "fchmodat": 53, "fchownat": 54, "fchown": 55, "utimensat": 88},
            **{"setxattr": 5, "lsetxattr": 6, "fsetxattr": 7, "removexattr": 14},
            **{"lremovexattr": 15, "fremovexattr": 16},
            **LATER,
        },
    ),
}


def machine() -> Machine | None:
    """This machine's calls, None where they are not known."""
    return MACHINES.get(platform.machine())


def filter_of(known: Machine) -> bytes:
    """The filter's instructions, 8 bytes each.

    Calls of another machine's numbering end the program. Those refused fail as not
    permitted, so that a program may go on without them. Threads may be started, another
    process may not; `clone3`, whose flags a filter cannot see, is not there, and callers
    fall back to `clone`.
    """
    refused = FAIL | errno.EPERM
    lines = [
        _line(LOAD, ARCHITECTURE_AT),
        _line(EQUAL, known.audit, yes=1),
        _line(RETURN, KILL),
        _line(LOAD, NUMBER_AT),
        _line(AT_LEAST, OTHER_ABI, no=1),
        _line(RETURN, refused),
        _line(EQUAL, known.calls["clone3"], no=1),
        _line(RETURN, FAIL | errno.ENOSYS),
    ]
    for name in REFUSED:
        if name in known.calls:
            lines += [_line(EQUAL, known.calls[name], no=1), _line(RETURN, refused)]
    lines += [
        _line(EQUAL, known.calls["clone"], no=3),
        _line(LOAD, FIRST_ARGUMENT_AT),
        _line(ANY_BIT, THREAD, yes=1),
        _line(RETURN, refused),
        _line(RETURN, ALLOW),
    ]
    return b"".join(lines)


def _line(code: int, operand: int, *, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("HBBI", code, yes, no, operand)
