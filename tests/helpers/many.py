#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""many.py COUNT FILE - a tar of COUNT small text files, 50 to a directory; the same bytes each time"""
import io
import random
import sys
import tarfile

LETTERS = b"etaoinshrdlucmfwyp"


def main():
    count, out = int(sys.argv[1]), sys.argv[2]
    source = random.Random(1)
    words = [bytes(source.choice(LETTERS) for _ in range(source.randint(2, 9))) for _ in range(3000)]
    with tarfile.open(out, "w", format=tarfile.GNU_FORMAT) as archive:
        add(archive, "m", None)
        for number in range(count):
            directory = f"m/{number // 1000}/{number // 50 % 20}"
            for step, parent in ((1000, f"m/{number // 1000}"), (50, directory)):
                if number % step == 0:
                    add(archive, parent, None)
            text = b" ".join(source.choice(words) for _ in range(source.randint(20, 300)))
            add(archive, f"{directory}/f{number % 50}.txt", text)


def add(archive, name, content):
    member = tarfile.TarInfo(name)
    member.mtime = 1_700_000_000
    if content is None:
        member.type, member.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(member)
    else:
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))


main()
