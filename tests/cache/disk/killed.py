"""A process that writes to a disk store without end, to be killed: ``python killed.py DIRECTORY SEED``. It says so when
it has stored fifty more, and ends with a code of its own where it reads something wrong.
"""

from __future__ import annotations

import random
import sys

from tests.cache.disk.responses import MB, body_of, found, head_of, key_of, read
from txproxy.cache.disk.disk_store import DiskStore
from txproxy.cache.parts.parts_body import Part, PartsBody, parts_from
from txproxy.cache.stored import Entry, MemoryBody

KEYS = 300
SIZE = 64 * MB


def length_of(number: int) -> int:
    """How long the body of that number is: some are short, some in a room of their own, and some in slices."""
    if number % 25 == 1:
        return 500_000 + number * 1000
    return number * 7919 % 100_000 if number % 3 else number * 7919 % 5_000


def right(store: DiskStore, number: int) -> int:
    """How many are found of that number; each must be as it was written by any process."""
    entries = found(store, number)
    for entry in entries:
        version = entry.head.headers.get(b"x-name")
        assert version is not None
        data = body_of(f"{number}/{version.decode()}", length_of(number))
        # Of some not all was stored, and of others slices may have gone.
        parts = parts_from(0, entry.body)
        if entry.body.length != len(data) or any(read(part.body) != data[part.start : part.stop] for part in parts):
            print("wrong", number, flush=True)
            sys.exit(3)
    return len(entries)


def main(path: str, seed: int) -> None:
    """Write, read and remove, until somebody ends it."""
    chance = random.Random(seed)
    store = DiskStore(path, SIZE, 2 * MB)
    steps = iter(()) if store.is_complete else store.rebuild()
    version = stored = 0
    while True:
        next(steps, None)
        version += 1
        number = chance.randrange(KEYS)
        right(store, chance.randrange(KEYS))
        name = f"{seed}.{version}"
        data = body_of(f"{number}/{name}", length_of(number))
        writer = store.writer(key_of(number), len(data) if chance.random() < 0.5 else None)
        if all(writer.write(data[start : start + 20_000]) for start in range(0, len(data), 20_000)):
            head = head_of(name, time=float(version))
            entry = writer.commit(head)
            if entry is not None and version % 5 == 0 and len(data) > 1000:
                # A part is kept as well, and then in place of the whole.
                part = PartsBody(len(data), (Part(500, MemoryBody(data[500:900])),))
                entry = store.put(Entry(entry.key, head, part), entry)
            if entry is not None:
                store.used(entry)
                # What is tried is not counted: a process that nobody lets run may have the lock that the next segment
                # takes, for as long as that lasts, in which thousands are tried. So what is removed goes by what is
                # stored.
                stored += 1
                if chance.random() < 0.01:
                    store.remove_key(key_of(chance.randrange(KEYS)))
                if stored % 50 == 0:
                    print(stored, flush=True)
        if version % 50 == 0:
            steps = store.tidy()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
