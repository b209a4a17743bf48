"""The job of the crash campaigns (Tests/CampaignRunner) as arithmetic: its inputs, and what must follow from them.

Nothing here asks StreamJobs: outputs are read from the segment files, stores from data.mdb.
"""

import collections

import segments
import state_file

INPUTS = ("deposits", "withdrawals")
OUTPUTS = ("movements", "closings", "totals")
PARTITIONS = 3
WINDOW = 1000  # ms of event time
ROUND = 20 * WINDOW  # a round's records lie in its own windows: its end closes them
BEGIN = 1_600_000_000_000
ACCOUNTS = 48


class Failure(Exception):
    """What is wrong; the message says it."""


class Lost(Failure):
    """Records are not there, or are there twice, or have other values."""

    def __init__(self, message, lost, duplicated):
        super().__init__(message)
        self.lost, self.duplicated = lost, duplicated


class Row:
    def __init__(self, time, account, amount, sequence):
        self.time, self.account, self.amount, self.sequence = time, account, amount, sequence

    def csv(self):
        return f"{self.account},{self.amount},{self.sequence},{self.time}\n"

    def json(self):
        fields = f'"amount":{self.amount},"sequence":{self.sequence},"time":{self.time}'
        return f'{{"account":"{self.account}",{fields}}}'.encode()


def rows(chance, round_number, count):
    """One round of both inputs. No two records have the same time, so that their order is known."""
    times = sorted(chance.sample(range(ROUND), 2 * count))
    sides = [0] * count + [1] * count
    chance.shuffle(sides)
    made = [[], []]
    for place, (time, side) in enumerate(zip(times, sides)):
        made[side].append(
            Row(
                BEGIN + round_number * ROUND + time, f"a{chance.randrange(ACCOUNTS)}",
                chance.randrange(1, 1000), (round_number * 2 * count + place),
            )
        )  # fmt: skip
    return made


CSV_HEADER = "account,amount,sequence,time\n"


def partitions(data, topic):
    """The committed records of each partition as (time, key, value)."""
    found = {}
    for folder in sorted(data.glob(f"{topic}-[0-9]*")):
        try:
            records, undecided = segments.committed_timed(folder)
        except segments.Damage as damage:
            raise Failure(str(damage)) from None
        found[int(folder.name.rpartition("-")[2])] = records, undecided
    return found


class Expected:
    """What follows from the inputs as they are in the log."""

    def __init__(self, data, sent=None):
        """`sent`: the rows of each input that were acknowledged, which must be there, each once and in order."""
        self.movements = collections.defaultdict(list)  # by account
        self.closings = collections.defaultdict(list)
        self.windows = collections.defaultdict(list)  # the amounts, by window
        self.balances, self.counts = {}, {}  # by partition and account
        self.ends = {}  # of the inputs, by topic and partition
        merged = collections.defaultdict(list)
        for side, topic in enumerate(INPUTS):
            read = partitions(data, topic)
            if sent is not None:
                self._compare_input(topic, read, sent[side])
            for number, (records, _) in read.items():
                self.ends[topic, number] = len(records)
                for time, key, value in records:
                    merged[number].append((time, side, value))
        for number, records in merged.items():
            self._fold(number, sorted(records))

    @staticmethod
    def _compare_input(topic, read, sent):
        for number, (records, _) in read.items():
            accounts = {key.decode() for _, key, _ in records}
            needed = [(row.time, row.json()) for row in sent if row.account in accounts]
            found = [(time, value) for time, _, value in records]
            if found != needed:
                lost, twice = difference(found, needed)
                raise Lost(f"the input {topic}-{number} is not what was sent", lost, twice)
        count = sum(len(records) for records, _ in read.values())
        if count != len(sent):
            raise Lost(f"{topic} has {count} of {len(sent)} records", max(0, len(sent) - count), 0)

    def _fold(self, number, records):
        balances, counts = collections.Counter(), collections.Counter()
        sums = collections.defaultdict(int)
        for time, side, value in records:
            account, amount, sequence = parse(value)
            if side:
                amount = -amount
            balances[account] += amount
            counts[account] += 1
            line = f"{sequence} {amount} {balances[account]} {counts[account]}"
            self.movements[account].append(line)
            window = time - time % WINDOW
            sums[window, account] += amount
            self.windows[str(window)].append(amount)
        for (window, account), total in sorted(sums.items()):
            self.closings[account].append(f"{window} {total}")
        self.balances[number], self.counts[number] = dict(balances), dict(counts)

    # MARK: Comparing

    def check_outputs(self, data, is_whole):
        """Raises unless the outputs are what follows from the inputs; or the beginning of it, if not whole."""
        self._check_lists(data, "movements", self.movements, is_whole)
        self._check_lists(data, "closings", self.closings, is_whole)
        found = by_key(data, "totals", is_whole)
        for window in sorted(set(found) | set(self.windows)):
            self._check_window(window, found.get(window, []), is_whole)

    def _check_lists(self, data, topic, needed, is_whole):
        found = by_key(data, topic, is_whole)
        for key in sorted(set(found) | set(needed)):
            have, want = found.get(key, []), needed.get(key, [])
            if not is_whole:
                want = want[: len(have)]
            if have != want:
                lost, twice = difference(have, want)
                raise Lost(f"{topic} of {key}: {first_difference(have, want)}", lost, twice)

    def _check_window(self, window, lines, is_whole):
        """Each movement counts once: the counts go up by one, the sums by the amounts, in whatever order."""
        counts = [int(line.split()[0]) for line in lines]
        sums = [0] + [int(line.split()[1]) for line in lines]
        amounts = [after - before for before, after in zip(sums, sums[1:])]
        needed = self.windows.get(window, [])
        lost, twice = difference(amounts, needed)
        if twice or (lost and is_whole) or counts != list(range(1, len(lines) + 1)):
            raise Lost(f"totals of {window}: {len(lines)} lines for {len(needed)} movements", lost, twice)

    def check_stores(self, data):
        """After a whole run: the stores are the sums, and the positions the ends of the inputs."""
        state = data / "state/ledger"
        for number in range(PARTITIONS):
            task = state / f"Ledger-{number}"
            for name, needed in (("balances", self.balances), ("counts", self.counts), ("windows", {})):
                wanted = {store_key(account): value for account, value in needed.get(number, {}).items()}
                compare_store(task, name, wanted)
            for topic in INPUTS:
                position = state_file.source_positions(task, topic).get(number, 0)
                if position != self.ends.get((topic, number), 0):
                    raise Failure(f"{task}: the position in {topic} is {position}")
        sums, counts = {}, {}
        for number in range(PARTITIONS):
            task = state / f"WindowTotals-{number}"
            sums |= state_file.numbers(task, "sums")
            counts |= state_file.numbers(task, "counts")
        if sums != {window: sum(amounts) for window, amounts in self.windows.items()}:
            raise Failure("the store 'sums' of WindowTotals has other values")
        if counts != {window: len(amounts) for window, amounts in self.windows.items()}:
            raise Failure("the store 'counts' of WindowTotals has other values")


def parse(value):
    """Account, amount and sequence of a record of an input."""
    fields = value.decode().strip("{}").split(",")
    texts = [field.split(":", 1)[1].strip('"') for field in fields]
    return texts[0], int(texts[1]), int(texts[2])


def store_key(account):
    return account + "-" * 700 if account.endswith("7") else account


def by_key(data, topic, is_whole):
    found = collections.defaultdict(list)
    for number, (records, undecided) in partitions(data, topic).items():
        if undecided and is_whole:
            raise Failure(f"{undecided} records of {topic}-{number} are undecided")
        for _, key, value in records:
            found[key.decode()].append(value.decode())
    return found


def compare_store(task, name, needed):
    found = state_file.numbers(task, name)
    if found != needed:
        keys = [key for key in found.keys() | needed.keys() if found.get(key) != needed.get(key)]
        shown = ", ".join(f"{key[:20]}: {found.get(key)}, not {needed.get(key)}" for key in sorted(keys)[:3])
        raise Failure(f"{task.name}: the store '{name}' has {len(keys)} wrong entries: {shown}")


def difference(found, needed):
    """How many are missing, and how many too many."""
    have, want = collections.Counter(found), collections.Counter(needed)
    return sum((want - have).values()), sum((have - want).values())


def first_difference(have, want):
    for place, (one, other) in enumerate(zip(have, want)):
        if one != other:
            return f"line {place} is {one!r}, not {other!r}"
    return f"{len(have)} lines, not {len(want)}"
