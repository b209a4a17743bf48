"""One directory of the crash campaign: filled, run under faults, checked. scripts/crash chooses and counts."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys

import ledger
import shim
from ledger import Failure

LIMIT = 60  # seconds that a command may take
KILLS = ("KILL", "KILL-AFTER", "TORN")
ROUNDS_PER_DIRECTORY = 3
RECOVERIES_DEEP = 5
IO_ERROR, IN_USE = 74, 75  # exit codes
FULL_DISK_ROOM = 300_000  # bytes


class Program:
    """The program under test with the shim; what it can do is read from its help."""

    def __init__(self, path, library, work, extra=None):
        self.path, self.library, self.report = path, library, work / "report"
        self.extra = extra or {}
        done = subprocess.run([path, "run", "--help"], stdout=subprocess.PIPE)
        self.help = done.stdout.decode()

    def environment(self, data, **fault):
        return os.environ | self.extra | shim.environment(self.library, data, self.report, **fault)

    def good(self, data, *command):
        done = subprocess.run(
            [self.path, *command, "--data", data], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=LIMIT, env=os.environ | self.extra,
        )  # fmt: skip
        if done.returncode != 0:
            raise Failure(f"{' '.join(map(str, command))}: {done.returncode}: {done.stderr.decode().strip()}")
        return done.stdout

    def start(self, data, options, environment):
        return subprocess.Popen(
            [self.path, "run", "ledger", "--until-end", "--data", data, *options], env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip

    def read_report(self):
        return shim.Report(self.report)


class Outcome:
    """How a run ended. `fault`: what is counted, None where nothing hit it in a commit."""

    def __init__(self, code, errors, report, fault=None):
        self.code, self.errors, self.report, self.fault = code, errors, report, fault
        self.has_finished = code == 0


def build():
    """Builds the runner and returns its path."""
    for command in (["scripts/setup"], "swift build -c release --product campaign-runner".split()):
        if subprocess.run(command, cwd=shim.ROOT, stdout=sys.stderr).returncode != 0:
            sys.exit(f"{' '.join(command)} failed (see above)")
    return shim.ROOT / ".build/release/campaign-runner"


def finish(process):
    try:
        errors = process.communicate(timeout=LIMIT)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise Failure(f"a run did not end in {LIMIT} s") from None
    return process.returncode, errors.decode(errors="replace").strip()


def place(report, step=None):
    """What a fault is counted under: the step it hit, and whether the process was still recovering."""
    if step is None:
        step, is_recovery = report.fired_step, report.fired_before_append
    else:
        is_recovery = not report.has_appended
    return f"recovery/{step}" if is_recovery else step


class Directory:
    """A data directory of the campaign, from its first input to its last check."""

    def __init__(self, program, data, chance, rows, disk=None):
        self.program, self.data, self.chance, self.disk = program, data, chance, disk
        self.sent, self.round, self.rows = [[], []], 0, rows
        self.seen = {}  # calls of each step in a run, as far as runs have come
        self.recovery_calls = 60
        for topic in ledger.INPUTS + ledger.OUTPUTS:
            # By bytes segments cannot be small; by event time they can.
            span = chance.choice((2, 7, 1000)) * ledger.WINDOW
            self.program.good(
                data, "topics", "create", topic, "--partitions", str(ledger.PARTITIONS),
                "--config", f"segment.ms={span}", "--config", "segment.bytes=1048576",
            )  # fmt: skip

    def fill(self):
        """Another round of inputs, acknowledged as flushed."""
        made = ledger.rows(self.chance, self.round, self.rows)
        for topic, rows, sent in zip(ledger.INPUTS, made, self.sent):
            file = self.data.parent / f"{topic}.csv"
            file.write_text(ledger.CSV_HEADER + "".join(row.csv() for row in rows))
            self.program.good(
                self.data, "produce", topic, "--csv", file, "--key-columns", "account",
                "--timestamp-column", "time", "--batch-size", str(self.chance.choice((500, 16384))),
            )  # fmt: skip
            sent += rows
        self.round += 1

    def settings(self):
        """Those of one start."""
        chance, help_text = self.chance, self.program.help
        options = ["--threads", str(chance.randint(1, 3))]
        options += ["--commit-interval", f"{chance.choice((1, 2, 5, 20))}ms"]
        if "--durability" in help_text:
            options += ["--durability", chance.choice(("power-loss", "power-loss", "process-crash"))]
        if "--guarantee" in help_text:
            options += ["--guarantee", "exactly-once"]
        if "--memory" in help_text:
            options += ["--memory", chance.choice(("1MiB", "8MiB", "512MiB"))]
        if "--commit-spacing" in help_text:
            options += ["--commit-spacing", f"{chance.choice((0, 1, 5))}ms"]
        return options, {"CAMPAIGN_PACE": str(chance.choice((0, 1, 20)))}

    def expected(self):
        return ledger.Expected(self.data, self.sent)

    def check(self, is_whole):
        expected = self.expected()
        expected.check_outputs(self.data, is_whole)
        if is_whole:
            expected.check_stores(self.data)

    # MARK: Faults

    def run(self, fault_name, **fault):
        """A run under a fault of the shim."""
        options, pace = self.settings()
        process = self.program.start(self.data, options, self.program.environment(self.data, **fault) | pace)
        if fault.get("action") == "STOP":
            return self.paused(process)
        code, errors = finish(process)
        report = self.program.read_report()
        self.learn(report)
        if not report.fired:
            return self.end_without(code, errors, report)
        action = fault["action"]
        if action in KILLS:
            if code != -signal.SIGKILL:
                raise Failure(f"it was to be killed, and ended with {code}: {errors}")
        elif code != 0:
            self.check_error(code, errors, action, report)
        return Outcome(code, errors, report, (fault_name, place(report)))

    def learn(self, report):
        for step, count in report.steps.items():
            self.seen[step] = max(self.seen.get(step, 0), count)

    @staticmethod
    def end_without(code, errors, report):
        if code != 0:
            raise Failure(f"without a fault: {code}: {errors}")
        return Outcome(code, errors, report)

    @staticmethod
    def check_error(code, errors, action, report):
        if code != IO_ERROR:
            raise Failure(f"after {action} of {report.path}: the exit code is {code}: {errors}")
        full, failed = "disk is full", "errno 5|Input/output error"
        wanted = full if action in ("ENOSPC", "FULL", "ballast") else failed
        if report.path.endswith(".mdb"):  # LMDB says one or the other of a write that was short
            wanted = f"{failed}|{full}"
        if not re.search(wanted, errors):
            raise Failure(f"after {action} of {report.path}: the sentence does not say what is wrong: {errors}")

    def paused(self, process):
        """SIGSTOP within a commit, a second process that must be refused, then SIGCONT or SIGKILL."""
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        report = self.program.read_report()
        if not os.WIFSTOPPED(status):
            process.returncode = os.waitstatus_to_exitcode(status)
            errors = process.stderr.read().decode(errors="replace").strip()
            process.stderr.close()
            return self.end_without(process.returncode, errors, report)
        second = self.program.start(self.data, [], os.environ | self.program.extra)
        code, errors = finish(second)
        if code != IN_USE or str(process.pid) not in errors:
            process.kill()
            process.communicate()
            raise Failure(f"a second process beside a stopped one: {code}: {errors}")
        goes_on = self.chance.random() < 0.5
        process.send_signal(signal.SIGCONT if goes_on else signal.SIGKILL)
        code, errors = finish(process)
        if goes_on and code != 0 or not goes_on and code != -signal.SIGKILL:
            raise Failure(f"after a pause: {code}: {errors}")
        name = "pause" if goes_on else "pause and kill"
        return Outcome(code, errors, self.program.read_report(), (name, place(report)))

    def interrupted(self, number, delay):
        """A signal from outside after so many seconds: SIGKILL, or SIGTERM, which must end well."""
        options, pace = self.settings()
        environment = self.program.environment(self.data) | pace
        process = self.program.start(self.data, options, environment)
        try:
            errors = process.communicate(timeout=delay)[1].decode(errors="replace").strip()
            return self.end_without(process.returncode, errors, self.program.read_report())
        except subprocess.TimeoutExpired:
            process.send_signal(number)
        code, errors = finish(process)
        report = self.program.read_report()
        if code == 0 and "stopped before the end" not in errors:
            return Outcome(code, errors, report)
        if code != (-signal.SIGKILL if number == signal.SIGKILL else 0) and code != -signal.SIGTERM:
            raise Failure(f"after a signal {number}: {code}: {errors}")
        # Behind a marker the commit may have ended: between two commits a kill is no fault.
        is_within = report.step not in ("other", "marker") or not report.has_appended
        name = "kill at a moment" if number == signal.SIGKILL else "SIGTERM"
        # Before it has begun a process has nothing to lose.
        fault = (name, place(report, report.step)) if is_within and report.calls > 20 else None
        outcome = Outcome(code, errors, report, fault)
        outcome.has_finished = False
        return outcome

    def without_room(self, room):
        """A run on a disk that has so many bytes left."""
        ballast = self.disk / "ballast"
        status = os.statvfs(self.disk)
        size = max(0, status.f_bavail * status.f_frsize - room)
        with ballast.open("wb") as file:
            if size:
                os.posix_fallocate(file.fileno(), 0, size)
        options, pace = self.settings()
        process = self.program.start(self.data, options, self.program.environment(self.data) | pace)
        try:
            code, errors = finish(process)
        finally:
            ballast.unlink()
        report = self.program.read_report()
        if code == 0:
            return Outcome(code, errors, report)
        self.check_error(code, errors, "ballast", report)
        return Outcome(code, errors, report, ("full disk", place(report, report.step)))

    def one_fault(self, depth):
        """Chooses what happens to the next run. `depth`: kills in a row that hit a recovery."""
        chance = self.chance
        if 0 < depth < RECOVERIES_DEEP and chance.random() < 0.4:
            action = chance.choice(KILLS)
            return self.run(action, step="any", number=chance.randrange(self.recovery_calls), action=action)
        what = chance.random()
        if what < 0.08:
            return self.interrupted(signal.SIGKILL, chance.uniform(0.005, 0.15))
        if what < 0.12:
            return self.interrupted(signal.SIGTERM, chance.uniform(0.005, 0.15))
        if what < 0.17 and self.disk:
            return self.without_room(chance.randrange(FULL_DISK_ROOM))
        steps = "append output-flush state-write decision decision marker marker input-flush".split()
        step = chance.choice(steps)
        number = chance.randrange(max(3, min(60, self.seen.get(step, 0) // 2)))
        if what < 0.27:
            action = "STOP"
        elif what < 0.42:
            action = chance.choice(("EIO", "ENOSPC", "FULL", "SHORT"))
        else:
            action = chance.choice(KILLS)
        if "flush" in step and action in ("SHORT", "TORN"):
            action = "EIO" if action == "SHORT" else "KILL"
        return self.run(action, step=step, number=number, action=action)


def make_disk(work):
    """A small file system of its own to be filled, where one may be mounted; else None."""
    disk = work / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=96m", "none", disk]
    try:
        if subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
            return disk
    except FileNotFoundError:
        pass
    return None


def remove_disk(disk):
    if disk:
        subprocess.run(["umount", disk], check=False)
