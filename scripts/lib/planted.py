"""Bugs that the campaigns must find: the product's sources with one line more here and there, built apart.

The sources themselves hold nothing of it. A place that is not found any more is named; then it has moved, and its
pattern here moves with it.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
COMMIT, RECOVERY = "Sources/StreamJobs/Commit/TaskCommit.swift", "Sources/StreamJobs/Commit/CommitRecovery.swift"


class Bug:
    """`pattern` is replaced by `text`, with \\g<0> for what it was."""

    def __init__(self, name, what, file, pattern, text):
        self.name, self.what, self.file, self.pattern, self.text = name, what, file, pattern, text


# Found by kills and pauses.
CRASH = [
    Bug(
        "marker-early", "markers are written before the decision", COMMIT,
        r"try environment\.commit\(changes\(record, positions\)\)",
        'if isPlanted("marker-early") {\n'
        "for range in commit.appended { try range.partition.end(producer, with: .commit) }\n}\n\\g<0>",
    ),
    Bug(
        "entry-missing", "the decision does not list one of its transactions", COMMIT,
        r"record\.decided = \(kept \+ decided\)\.map\(\\\.transaction\)",
        '\\g<0>\nif isPlanted("entry-missing"), !record.decided.isEmpty { record.decided.removeLast() }',
    ),
    Bug(
        "epoch-twice", "recovery goes on with an epoch that the log has seen", RECOVERY,
        r"let epoch = max\(producer\.epoch, seen\)",
        'let epoch = isPlanted("epoch-twice") ? producer.epoch : max(producer.epoch, seen)',
    ),
]  # fmt: skip
# Found where the power is lost: a kill leaves them without effect.
POWER = [
    Bug(
        "input-unflushed", "positions are committed of inputs that are not flushed", COMMIT,
        r"try (log\.)?flush\(tasks\.flatMap\(\\\.inputPartitions\)\)",
        'if !isPlanted("input-unflushed") { \\g<0> }',
    ),
    Bug(
        "output-unflushed", "the decision comes before its outputs are flushed", COMMIT,
        r"try (log\.)?flush\(tasks\.flatMap.*(appended|touchedPartitions).*\)",
        'if !isPlanted("output-unflushed") { \\g<0> }',
    ),
    Bug(
        "entry-dropped", "a decided transaction is forgotten before its marker is flushed", COMMIT,
        r"guard let end = marker\.end else \{ return true \}",
        '\\g<0>\nif isPlanted("entry-dropped") { return false }',
    ),
]  # fmt: skip
HELPER = """import Glibc

func isPlanted(_ name: String) -> Bool {
    guard let planted = getenv("STREAMJOBS_PLANT") else { return false }
    return String(cString: planted) == name
}
"""


def build():
    """Builds the campaign's runner with the bugs, each of which STREAMJOBS_PLANT=NAME turns on; returns its path."""
    tree = ROOT / ".build/planted/source"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "Package.swift", "Sources", "Tests", "jobs"],
        cwd=ROOT, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    files = {name: (ROOT / name).read_bytes() for name in listed.stdout.decode().split("\n") if (ROOT / name).is_file()}
    for bug in CRASH + POWER:
        text, count = re.subn(bug.pattern, bug.text, files[bug.file].decode(), count=1)
        if count == 0:
            sys.exit(f"planted: {bug.file} has no place for '{bug.name}' (see scripts/lib/planted.py)")
        files[bug.file] = text.encode()
    files["Sources/StreamJobs/Planted.swift"] = HELPER.encode()
    for old in [path for path in tree.rglob("*") if path.is_file()]:
        if str(old.relative_to(tree)) not in files:
            old.unlink()
    for name, content in files.items():
        path = tree / name
        # What has not changed is not built again.
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    scratch = ROOT / ".build/planted/build"
    command = ["swift", "build", "-c", "release", "--product", "campaign-runner", "--scratch-path", scratch]
    if subprocess.run(command, cwd=tree, stdout=sys.stderr).returncode != 0:
        sys.exit("planted: the build failed (see above)")
    return scratch / "release/campaign-runner"
