"""The seccomp filter decides alike on both architectures, by an interpreter of its instructions."""

from __future__ import annotations

import errno
import struct

import pytest

from ferrogen.code_executor.sandbox.seccomp import filter_program
from ferrogen.code_executor.sandbox.syscall_numbers import SYSCALLS
from ferrogen.exceptions import SandboxUnavailableError

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOWED, KILLED, ERROR = 0x7FFF0000, 0x80000000, 0x00050000
# Calls that the filter does not name.
READ = {"x86_64": 0, "aarch64": 63}
NEW_USER, CHILD_SIGNAL = 0x10000000, 17


def decision(machine: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    """Interpret the filter as the kernel does."""
    words = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    constant = ARCHITECTURES[machine] if architecture is None else architecture
    data = struct.pack("=IIQ6Q", number, constant, 0, *words)
    program = [*struct.iter_unpack("=HBBI", filter_program(machine=machine))]
    at, accumulator = 0, 0
    while True:
        code, if_true, if_false, operand = program[at]
        at += 1
        if code == 0x20:
            accumulator = struct.unpack_from("=I", data, operand)[0]
        elif code == 0x54:
            accumulator &= operand
        elif code == 0x06:
            return int(operand)
        else:
            tests = {
                0x15: accumulator == operand,
                0x25: accumulator > operand,
                0x45: bool(accumulator & operand),
            }
            at += if_true if tests[code] else if_false


def number_of(name: str, machine: str) -> int | None:
    return SYSCALLS[name][list(ARCHITECTURES).index(machine)]


each = pytest.mark.parametrize("machine", ARCHITECTURES)


@each
def test_ordinary_calls_are_allowed(machine: str):
    assert decision(machine, READ[machine]) == ALLOWED


@each
def test_calls_of_another_architecture_end_the_process(machine: str):
    assert decision(machine, READ[machine], architecture=0x40000003) == KILLED


@each
def test_unknown_calls_do_not_exist(machine: str):
    for number in (468, 600, 0x40000000 | READ[machine], 0xFFFFFFFF):
        assert decision(machine, number) == ERROR | errno.ENOSYS


@each
@pytest.mark.parametrize("name", ["ptrace", "keyctl", "mount", "setns", "bpf", "clock_settime"])
def test_denied_calls_fail(machine: str, name: str):
    number = number_of(name, machine)
    assert number is not None
    assert decision(machine, number) == ERROR | errno.EPERM


@each
def test_processes_can_be_made_and_namespaces_cannot(machine: str):
    clone = number_of("clone", machine)
    assert clone is not None
    assert decision(machine, clone, CHILD_SIGNAL) == ALLOWED
    for flag in (NEW_USER, 0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x20000000, 0x40000000):
        assert decision(machine, clone, CHILD_SIGNAL | flag) == ERROR | errno.EPERM
        # The kernel reads the lower half only.
        assert decision(machine, clone, (1 << 40) | flag) == ERROR | errno.EPERM


@each
def test_some_arguments_are_denied(machine: str):
    for name, index, allowed, denied, error in (
        ("ioctl", 1, 0x5401, 0x5412, errno.EPERM),
        ("ioctl", 1, 0x5401, (1 << 32) | 0x541C, errno.EPERM),
        ("socket", 0, 1, 40, errno.EAFNOSUPPORT),
        ("socket", 0, 2, 38, errno.EAFNOSUPPORT),
        ("personality", 0, 0xFFFFFFFF, 0x0040000, errno.EPERM),
    ):
        number = number_of(name, machine)
        assert number is not None
        assert decision(machine, number, *[0] * index, allowed) == ALLOWED
        assert decision(machine, number, *[0] * index, denied) == ERROR | error


def test_no_two_calls_of_an_architecture_have_one_number():
    for column in (0, 1):
        numbers = [row[column] for row in SYSCALLS.values() if row[column] is not None]
        assert len(set(numbers)) == len(numbers)


def test_other_architectures_are_refused():
    with pytest.raises(SandboxUnavailableError, match="riscv64"):
        filter_program(machine="riscv64")


THREAD, FILES, MEMORY = 0x10000, 0x400, 0x100
SEND_BUFFER, KEEP_ALIVE = 7, 9


@each
def test_threads_have_the_files_of_their_process(machine: str):
    clone, close = number_of("clone", machine), number_of("close_range", machine)
    assert clone is not None
    assert close is not None
    assert decision(machine, clone, THREAD | MEMORY) == ERROR | errno.EPERM
    assert decision(machine, clone, THREAD | MEMORY | FILES) == ALLOWED
    assert decision(machine, clone, CHILD_SIGNAL) == ALLOWED
    assert decision(machine, close, 3, 100, 2) == ERROR | errno.EPERM
    assert decision(machine, close, 3, 100, 0) == ALLOWED


@each
def test_buffers_of_sockets_cannot_be_enlarged(machine: str):
    setsockopt = number_of("setsockopt", machine)
    assert setsockopt is not None
    for option in (SEND_BUFFER, 8, 32, 33):
        assert decision(machine, setsockopt, 3, 1, option) == ERROR | errno.EPERM
    assert decision(machine, setsockopt, 3, 1, KEEP_ALIVE) == ALLOWED
    assert decision(machine, setsockopt, 3, 6, SEND_BUFFER) == ALLOWED
