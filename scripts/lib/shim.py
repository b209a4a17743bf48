"""Building Tests/FaultShim, and what it says of a run. Shared by scripts/faults and scripts/crash."""

import shutil
import struct
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# As in fault_shim.c.
KINDS = (
    "open create opendir stat mkdir rmdir unlink rename pread read pwrite pwritev write writev ftruncate"
    " fallocate fdatasync fsync msync mmap"
).split()
STEPS = "other input-flush append output-flush state-write decision marker".split()
BYTES = 4096  # of a report


class Report:
    """What the shim has counted in a run."""

    def __init__(self, path):
        data = path.read_bytes()
        numbers = struct.unpack_from(f"<{len(KINDS) + 1}Q", data)
        self.counts, self.fired = dict(zip(KINDS, numbers)), numbers[-1]
        at = 8 * len(numbers)
        self.path = data[at : at + 256].rstrip(b"\0").decode()
        numbers = struct.unpack_from(f"<{len(STEPS) + 5}Q", data, at + 256)
        self.steps = dict(zip(STEPS, numbers))
        self.calls, step, has_appended, fired_step, before_append = numbers[len(STEPS) :]
        self.step, self.has_appended = STEPS[step], bool(has_appended)
        self.fired_step, self.fired_before_append = STEPS[fired_step], bool(before_append)


def build(directory, name="fault_shim"):
    """Compiles a shim into the directory and returns its path."""
    library = directory / f"{name}.so"
    source = ROOT / f"Tests/FaultShim/{name}.c"
    # Swift's toolchain has a clang.
    compiler = shutil.which("cc") or "clang"
    command = [compiler, "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", library, source, "-ldl"]
    if subprocess.run(command, stdout=sys.stderr).returncode != 0:
        sys.exit(f"{compiler} failed (see above)")
    return library


def environment(library, directory, report, **fault):
    """What preloads the shim; `fault` has kind or step, number and action."""
    report.write_bytes(bytes(BYTES))
    names = {"LD_PRELOAD": str(library), "FAULT_DIRECTORY": str(directory), "FAULT_REPORT": str(report)}
    return names | {f"FAULT_{name.upper()}": str(value) for name, value in fault.items()}
