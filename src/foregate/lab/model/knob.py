"""Where faults take hold of the model: a value that several of them may move at once."""


class Factor:
    """The product of what each fault multiplies by; 1 when none does."""

    __slots__ = ("_parts", "value")

    def __init__(self) -> None:
        self._parts: dict[str, float] = {}
        self.value = 1.0

    def set(self, fault_id: str, factor: float) -> None:
        self._parts[fault_id] = factor
        self._multiply()

    def clear(self, fault_id: str) -> None:
        if self._parts.pop(fault_id, None) is not None:
            self._multiply()

    def _multiply(self) -> None:
        self.value = 1.0
        for factor in self._parts.values():
            self.value *= factor


class Amount:
    """The sum of what each fault adds; 0 when none does."""

    __slots__ = ("_parts", "value")

    def __init__(self) -> None:
        self._parts: dict[str, float] = {}
        self.value = 0.0

    def set(self, fault_id: str, amount: float) -> None:
        self._parts[fault_id] = amount
        self.value = sum(self._parts.values())

    def clear(self, fault_id: str) -> None:
        if self._parts.pop(fault_id, None) is not None:
            self.value = sum(self._parts.values())
