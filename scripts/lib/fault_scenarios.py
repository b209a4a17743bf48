"""What scripts/faults runs under faults, and what must hold of each afterwards."""

import collections
import re

import segments

FIRST = range(0, 40)  # what the prepared topic holds, then what the runs add
ADDED = range(40, 100)
TRANSACTION = 10  # records
FLIGHTS = 400
OUTPUTS = ("delays-by-carrier", "delays-by-day", "flights-by-manufacturer")


class Failure(Exception):
    """What is wrong after a fault; the message says it."""


class Lost(Failure):
    """Records that were acknowledged are not there, or are there twice."""

    def __init__(self, message, lost, duplicated):
        super().__init__(message)
        self.lost, self.duplicated = lost, duplicated


class Run:
    """What a command of jobrunner did."""

    def __init__(self, code, output, errors):
        self.code, self.output, self.errors = code, output, errors

    @property
    def sentence(self):
        lines = [line for line in self.errors.splitlines() if line.startswith("error: ")]
        return lines[-1] if lines else ""


def lines(numbers):
    return "".join(f"{number}\n" for number in numbers).encode()


def in_topic(data, topic):
    """The committed values of each partition, and the number of undecided records."""
    values, undecided = [], 0
    for folder in sorted(data.glob(f"{topic}-[0-9]*")):
        try:
            records, pending = segments.committed(folder)
        except segments.Damage as damage:
            raise Failure(damage) from None
        values.append(records)
        undecided += pending
    return values, undecided


def numbers(data, topic="t"):
    """The numbers in a topic, in no order."""
    return [int(value) for records in in_topic(data, topic)[0] for _, value in records]


def compare(found, needed, allowed, what):
    """Raises unless all of `needed` is found, nothing twice and nothing beside `allowed`."""
    counts = collections.Counter(found)
    lost = sorted(set(needed) - set(counts))
    twice = sorted(item for item, count in counts.items() if count > 1)
    strange = sorted(set(counts) - set(allowed))
    if lost or twice:
        raise Lost(f"{what}: lost {lost[:5]}, doubled {twice[:5]}", len(lost), len(twice))
    if strange:
        raise Failure(f"{what}: holds {strange[:5]}, which nobody wrote")


def written_count(run, sent):
    """How many of the records sent an error says are written."""
    partly = re.search(r"only (\d+) of the \d+ records? before it", run.sentence) or re.search(
        r"the (\d+) records of the transactions before it are written", run.sentence
    )
    wholly = re.search(r"(?<!none of )the (\d+) records? before it (?:is|are) written", run.sentence)
    return sent if run.code == 0 else int((partly or wholly or ["", 0])[1])


# MARK: What is run under faults. Each has a name, a prepared directory, a command and its check.


class Produce:
    """Small batches into two partitions."""

    name, prepared = "produce", "filled"
    input = lines(ADDED)
    command = ("produce", "t", "--batch-size", "200")

    def check(self, campaign, data, run):
        count = written_count(run, len(ADDED))
        # Which of the records it counts is not said: batches of two partitions end in any order.
        found = numbers(data)
        compare(found, [*FIRST, *(ADDED if run.code == 0 else ())], [*FIRST, *ADDED, -1], "topic t")
        if len(set(found) & set(ADDED)) < count:
            raise Lost(f"{count} records are said to be written, {len(found)} are there", count, 0)


class ProduceTorn(Produce):
    """The same after a crash: the recovery is under faults as well."""

    name, prepared = "produce-torn", "torn"


class Transactions:
    """Six transactions, each seen whole or not at all, in order."""

    name, prepared = "transactions", "filled"
    input = lines(ADDED)
    command = ("produce", "t", "--transactional-id", "x", "--transaction-size", str(TRANSACTION))

    def reopen(self, campaign, data):
        """A new holder of the id ends what is open."""
        campaign.good(data, "produce", "t", "--transactional-id", "x", input=lines([-2]))

    def check(self, campaign, data, run):
        count = written_count(run, len(ADDED))
        found = numbers(data)
        compare(found, [*FIRST, *ADDED[:count]], [*FIRST, *ADDED, -1, -2], "topic t")
        added = len(set(found) & set(ADDED))
        if added % TRANSACTION or not set(ADDED[:added]) <= set(found):
            raise Failure(f"transactions are seen in part: {added} records")
        # Whoever is told that records are not written sends them again.
        if re.search(r"records? before it", run.sentence) and added != count:
            raise Failure(f"{added} records are seen, and it was said: {run.sentence}")
        if in_topic(data, "t")[1]:
            raise Failure("a transaction is still open")


class TransactionsTorn(Transactions):
    name, prepared = "transactions-torn", "torn"


class CreateTopic:
    name, prepared = "topics-create", "torn"
    input = None
    command = ("topics", "create", "u", "--partitions", "3", "--config", "retention.ms=1000000")

    def check(self, campaign, data, run):
        topics = [line["topic"] for line in campaign.json(data, "topics", "list", "--json")]
        if run.code == 0 and "u" not in topics:
            raise Failure("a topic that was created is not there")
        if "u" not in topics:
            campaign.good(data, *self.command)
        campaign.good(data, "produce", "u", input=lines([1]))
        compare(numbers(data, "u"), [1], [1], "topic u")
        compare(numbers(data), FIRST, [*FIRST, -1], "topic t")


class DeleteTopic:
    name, prepared = "topics-delete", "filled"
    input = None
    command = ("topics", "delete", "t")

    def reopen(self, campaign, data):
        campaign.good(data, "topics", "create", "u", "--partitions", "1")

    def check(self, campaign, data, run):
        topics = [line["topic"] for line in campaign.json(data, "topics", "list", "--json")]
        if "t" in topics:
            if run.code == 0:
                raise Failure("a topic that was deleted is there")
            compare(numbers(data), FIRST, FIRST, "topic t")
            campaign.good(data, *self.command)
        campaign.good(data, "topics", "create", "t", "--partitions", "2")
        compare(numbers(data), [], [], "topic t, made again")


class DeleteRecords:
    name, prepared = "delete-records", "filled"
    input = None
    command = ("topics", "delete-records", "t", "--partition", "0", "--before", "end")

    def check(self, campaign, data, run):
        found = campaign.read(data)
        other = [int(value) for _, value in in_topic(data, "t")[0][1]]
        compare(found, other if run.code == 0 else [n for n in other if n >= 0], [*FIRST, -1], "topic t")
        here = set(found) - set(other)
        if run.code == 0 and here - {-1}:
            raise Failure(f"records that were deleted are there: {sorted(here)[:5]}")
        if here - {-1} and len(here - {-1}) + len(set(other) - {-1}) != len(FIRST):
            raise Failure(f"records were deleted in part: {len(here)} are left")


class ConsumeGroup:
    """Each record is printed by one run or the next; one that ended well is not printed again."""

    name, prepared = "consume-group", "filled"
    input = None
    command = ("consume", "t", "--group", "g", "--from-beginning", "--until-end")

    def check(self, campaign, data, run):
        before = [int(line) for line in run.output.split()]
        after = [int(line) for line in campaign.good(data, *self.command).output.split()]
        if run.code == 0:
            compare(before + after, FIRST, [*FIRST, -1], "the group")
        compare(set(before + after), FIRST, [*FIRST, -1], "the group")
        compare(after, [], [*FIRST, -1], "the group's second run")


class RunJob:
    """A job to its end, under faults in the log and in LMDB, then without."""

    name, prepared = "run", "flights"
    input = None
    command = ("run", "flight-delays", "--until-end", "--commit-interval", "5ms", "--threads", "2")

    def check(self, campaign, data, run):
        campaign.good(data, *self.command)
        found, needed = job_outputs(data), campaign.results
        compare_lists(found, needed)
        if run.code == 0:
            return
        campaign.good(data, *self.command)
        compare_lists(job_outputs(data), needed)


SCENARIOS = [
    Produce(), ProduceTorn(), Transactions(), TransactionsTorn(), CreateTopic(), DeleteTopic(),
    DeleteRecords(), ConsumeGroup(), RunJob(),
]  # fmt: skip


def job_outputs(data):
    """The values of each key of each output, in order."""
    outputs = {}
    for topic in OUTPUTS:
        values, undecided = in_topic(data, topic)
        if undecided:
            raise Failure(f"{undecided} records of {topic} are undecided")
        for records in values:
            for key, value in records:
                outputs.setdefault((topic, key), []).append(value)
    return outputs


def compare_lists(found, needed):
    lost = duplicated = 0
    for key in found.keys() | needed.keys():
        difference = len(found.get(key, ())) - len(needed.get(key, ()))
        lost, duplicated = lost + max(0, -difference), duplicated + max(0, difference)
    if lost or duplicated:
        raise Lost(f"the outputs lack {lost} records and have {duplicated} too many", lost, duplicated)
    if found != needed:
        raise Failure("the outputs have other values, or another order")
