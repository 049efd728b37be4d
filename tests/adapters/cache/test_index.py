"""The table of what lies on the disk: counts its bytes, keeps the newest, names what has to go."""

import random
from pathlib import Path

from foregate.adapters.embedded.cache.disk import digest_of
from foregate.adapters.embedded.cache.index import Index, Object


def test_the_index_counts_its_bytes_and_names_whatever_has_to_go(tmp_path: Path) -> None:
    rng = random.Random(11)
    bytes_max = 400 * 4_096
    index = Index(tmp_path / "index.bin", bytes_max, alone=True)
    there: dict[Object, int] = {}
    latest: dict[bytes, int] = {}
    for version in range(1, 6_000):
        digest = digest_of(b"%d" % rng.randrange(2_000)) if version % 3 else rng.randbytes(16)
        if version % 5 == 0 and there:
            gone = rng.choice(list(there))
            assert index.remove(gone)
            assert not index.remove(gone)
            del there[gone]
            continue
        made = Object(digest, version)
        there[made] = -(-rng.randrange(1, 9_000) // 4_096) * 4_096
        latest[digest] = version
        for each in index.put(made, there[made]):
            del there[each]
        index.use(digest)
        assert index.bytes_used == sum(there.values()) <= bytes_max
        assert index.objects == len(there)
    for digest, version in latest.items():
        assert index.version(digest) == (version if Object(digest, version) in there else 0)
    counted = (index.bytes_used, index.objects)
    index.recount()
    assert (index.bytes_used, index.objects) == counted
    index.close()


def test_an_older_object_does_not_replace_a_newer_one(tmp_path: Path) -> None:
    index = Index(tmp_path / "index.bin", 1 << 20, alone=True)
    newer, older = Object(b"d" * 16, 9), Object(b"d" * 16, 8)
    assert index.put(newer, 10) == []
    assert index.put(older, 10) == [older]
    assert index.put(newer, 10) == []
    assert index.version(b"d" * 16) == 9
    index.close()
