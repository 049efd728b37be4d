"""`python -m bench`: the proxy beside its peers, then 50 streams. `python -m bench proxy|streams [--help]` for one."""

import sys

from bench.proxy import run as proxy
from bench.streams import run as streams


def main(argv: list[str]) -> int:
    """Returns 0, 1 where a goal is missed, 2 where something needed is not on this machine."""
    if argv and argv[0] == "proxy":
        return proxy.main(argv[1:])
    if argv and argv[0] == "streams":
        return streams.main(argv[1:])
    return max(proxy.main(argv), streams.main([]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
