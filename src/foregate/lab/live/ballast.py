"""Leaked memory, really held: a small, bounded share of what the model's heap says is alive."""

from foregate.lab.model.instance import Instance

REAL_SHARE = 1 / 32  # bytes held per modelled byte leaked
BLOCK_BYTES = 131_072
BLOCKS_MAX = 256  # 32 MB per instance; beyond it nothing more is held


class Ballast:
    """Call `step` now and then: it holds or frees blocks so that they follow the heap."""

    def __init__(self, instance: Instance) -> None:
        self._heap = instance.heap
        self._blocks: list[bytearray] = []

    @property
    def held_bytes(self) -> int:
        return len(self._blocks) * BLOCK_BYTES

    def step(self) -> None:
        leaked_mb = max(0.0, self._heap.live_mb - self._heap.base_mb)
        wanted = min(BLOCKS_MAX, int(leaked_mb * 1_048_576 * REAL_SHARE / BLOCK_BYTES))
        del self._blocks[wanted:]
        while len(self._blocks) < wanted:
            self._blocks.append(bytearray(b"\xa5" * BLOCK_BYTES))  # written to, so the pages are really there
