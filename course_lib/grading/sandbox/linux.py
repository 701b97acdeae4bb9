"""Linux system calls that Python does not offer, through ctypes; standard library only."""

from __future__ import annotations

import ctypes
import os
import platform
import socket
import struct

NEWNS, NEWUTS, NEWIPC = 0x00020000, 0x04000000, 0x08000000
NEWUSER, NEWPID, NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18
MNT_DETACH = 2
# What a mount inside a user namespace may not lose when it is made read-only.
KEPT_FLAGS = {os.ST_NOSUID: MS_NOSUID, os.ST_NODEV: MS_NODEV, os.ST_NOEXEC: MS_NOEXEC,
        os.ST_NOATIME: 1024, os.ST_NODIRATIME: 2048, os.ST_RELATIME: 1 << 21}  # fmt: skip
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "ppc64le": 203, "s390x": 217}
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP = 1, 4, 24
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 36, 38
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1

_libc = ctypes.CDLL(None, use_errno=True) if os.name == "posix" else None


def _require(done: int, what: str) -> int:
    """The result of a call, or OSError with the name of what failed."""
    if done < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return done


def unshare(flags: int) -> None:
    """This process leaves these namespaces of its parent; a new PID namespace begins at a fork."""
    _require(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str = "", *, flags: int = 0, options: str = "") -> None:
    """mount(2)."""
    text = [part.encode() or None for part in (source, target, kind)]
    _require(_libc.mount(*text, ctypes.c_ulong(flags), options.encode() or None), f"mount {target}")


def make_read_only(target: str) -> None:
    """Remount `target` and every mount below it read-only, without devices and set-uid programs."""
    for place in [target, *_mounts_below(target)]:
        have = os.statvfs(place).f_flag
        flags = sum(flag for bit, flag in KEPT_FLAGS.items() if have & bit) | MS_NOSUID | MS_NODEV
        mount("", place, flags=MS_REMOUNT | MS_BIND | MS_RDONLY | flags)


def _mounts_below(target: str) -> list[str]:
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
        places = [line.split()[4] for line in table]
    plain = (p.encode("latin-1", "replace").decode("unicode_escape") if "\\" in p else p
             for p in places)  # fmt: skip
    return [place for place in plain if place.startswith(target.rstrip("/") + "/")]


def enter_root(new_root: str) -> None:
    """Make `new_root`, a mount, the root of this mount namespace and let go of the old one."""
    number = PIVOT_ROOT[platform.machine()]
    os.chdir(new_root)
    _require(_libc.syscall(ctypes.c_long(number), b".", b"."), "pivot_root")
    _require(_libc.umount2(b".", MNT_DETACH), "umount of the old root")
    os.chdir("/")


def prctl(option: int, value: int = 0) -> None:
    """prctl(2) with one argument."""
    rest = (ctypes.c_ulong(0),) * 3
    _require(_libc.prctl(option, ctypes.c_ulong(value), *rest), f"prctl {option}")


def bound_rights() -> None:
    """No program that is started from here can gain a capability."""
    for capability in range(64):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:  # past the last one, or not allowed: then there is none to lose
            break


def drop_rights() -> None:
    """No capability, now or after any exec."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    header = struct.pack("Ii", 0x20080522, 0)  # version 3, this process
    _require(_libc.capset(header, bytes(24)), "capset")


def raise_loopback() -> None:
    """Bring up `lo` of this network namespace: the only network there is."""
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))
