"""Takes from this process all that a model's native code does not need. Linux; no root needed.

Each protection is taken as far as this machine lets us, and `confine` says which there are:
`memory`, `cpu`, `files written` (limits), `network` (a network namespace of its own, without any
interface), `files` (Landlock: only named folders may be read, nothing may be written), `calls`
(seccomp: no sockets, no processes, no signals to others, no tracing, no mounts).
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

MEMORY, CPU, WRITES = "memory", "cpu", "files written"
NETWORK, FILES, CALLS = "network", "files", "calls"
ALL = (MEMORY, CPU, WRITES, NETWORK, FILES, CALLS)
CPU_SECONDS = 3_600
MOST_WRITTEN = 1 << 20
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 1, 38, 22, 2
READ = ("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/dev/null", "/dev/urandom")


def confine(memory_mb: int, folders: Sequence[str]) -> list[str]:
    """Confines this process for good; which protections it has now.

    Args:
        memory_mb: beyond what is mapped now.
        folders: that may be read, besides the system's and Python's.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _limit(memory_mb)
    found = [MEMORY, CPU, WRITES]
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0:
        found.append(NETWORK)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        python = (sys.prefix, sys.base_prefix, *(p for p in sys.path if p))
        if _landlock(libc, [*READ, *python, *folders]):
            found.append(FILES)
        if _filter_calls(libc):
            found.append(CALLS)
    return found


def _limit(memory_mb: int) -> None:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    memory = pages * resource.getpagesize() + (memory_mb << 20)
    for what, wanted in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, MOST_WRITTEN),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(what, (limit, limit))


# ---- Landlock ------------------------------------------------------------------------------------

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
VERSION_FLAG, PATH_BENEATH = 1, 1
EXECUTE, READ_FILE, READ_DIR = 1 << 0, 1 << 2, 1 << 3
RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many rights over files each version of Landlock knows."""
TCP = 0b11
SCOPES = 0b11
"""Abstract sockets and signals of others, from version 6 on."""


def _landlock(libc: ctypes.CDLL, folders: Sequence[str]) -> bool:
    """Source: Linux, Documentation/userspace-api/landlock.rst."""
    version = libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), VERSION_FLAG)
    if version < 1:
        return False
    rights = (1 << RIGHTS.get(min(version, 5), 16)) - 1
    attributes = struct.pack("<QQQ", rights, TCP, SCOPES)
    size = 8 if version < 4 else 16 if version < 6 else 24
    rules = libc.syscall(CREATE_RULESET, attributes, ctypes.c_size_t(size), 0)
    if rules < 0:
        return False
    for folder in dict.fromkeys(folders):
        try:
            place = os.open(folder, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        allowed = READ_FILE | (READ_DIR if Path(folder).is_dir() else 0)
        libc.syscall(ADD_RULE, rules, PATH_BENEATH, struct.pack("<Qi", allowed, place), 0)
        os.close(place)
    done = libc.syscall(RESTRICT_SELF, rules, 0) == 0
    os.close(rules)
    return bool(done)


# ---- seccomp -------------------------------------------------------------------------------------

AUDIT_ARCH_X86_64 = 0xC000003E
REFUSED = {
    "socket": 41, "connect": 42, "bind": 49, "socketpair": 53, "fork": 57, "vfork": 58,
    "execve": 59, "kill": 62, "ptrace": 101, "rt_sigqueueinfo": 129, "pivot_root": 155,
    "chroot": 161, "mount": 165, "umount2": 166, "swapon": 167, "reboot": 169, "init_module": 175,
    "tkill": 200, "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250,
    "unshare": 272, "rt_tgsigqueueinfo": 297, "perf_event_open": 298, "open_by_handle_at": 304,
    "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311, "finit_module": 313,
    "bpf": 321, "execveat": 322, "userfaultfd": 323, "pidfd_send_signal": 424,
    "io_uring_setup": 425, "pidfd_open": 434, "pidfd_getfd": 438,
}  # fmt: skip
CLONE, TGKILL, PRLIMIT, CLONE3 = 56, 234, 302, 435
CLONE_THREAD = 0x10000
X32 = 0x40000000
EPERM, ENOSYS = 1, 38
KILL, ALLOW, ERRNO = 0x80000000, 0x7FFF0000, 0x00050000
LOAD, EQUAL, AT_LEAST, HAS_BITS, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _filter_calls(libc: ctypes.CDLL) -> bool:
    """Source: Linux, Documentation/userspace-api/seccomp_filter.rst. On x86-64 alone."""
    if platform.machine() != "x86_64" or sys.byteorder != "little":
        return False
    code = _program(os.getpid())
    program = _Program(len(code) // 8, code)
    return bool(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) == 0)


def _program(pid: int) -> bytes:
    """The filter: an allowed call passes, a refused one fails with EPERM."""
    refuse, number, first = (RETURN, 0, 0, ERRNO | EPERM), (LOAD, 0, 0, 0), (LOAD, 0, 0, 16)
    found: list[tuple[int, int, int, int]] = [
        (LOAD, 0, 0, 4), (EQUAL, 1, 0, AUDIT_ARCH_X86_64), (RETURN, 0, 0, KILL),
        number, (AT_LEAST, 0, 1, X32), refuse,
        (EQUAL, 0, 1, CLONE3), (RETURN, 0, 0, ERRNO | ENOSYS),
        (EQUAL, 0, 4, CLONE), first, (HAS_BITS, 1, 0, CLONE_THREAD), refuse, number,
        (EQUAL, 0, 4, TGKILL), first, (EQUAL, 1, 0, pid), refuse, number,
        (EQUAL, 0, 4, PRLIMIT), first, (EQUAL, 1, 0, 0), refuse, number,
    ]  # fmt: skip
    for call in REFUSED.values():
        found += [(EQUAL, 0, 1, call), refuse]
    found.append((RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("<HBBI", *one) for one in found)
