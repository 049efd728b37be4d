"""The cache: answers kept to be given again, by the rules of a shared cache (RFC 9111).

`Flow.verdict(request)` says what becomes of a GET or HEAD: given from the store, asked for, or passed on. What it
decides by stands in a pure module each: `storable`, `freshness`, `use`, `vary`, `validate`, `ranges`, `key`,
`invalidate`. `fill` asks a service once for all who wait, `reader` is one of them, `give` answers from the store. It
promises that two tenants never share an answer unless the cache is declared public, that nothing incomplete is stored,
and that whatever befalls the store, requests are answered as if it were empty.
"""

from foregate.gateway.cache.flow import OTHER_METHOD, Flow
from foregate.gateway.cache.invalidate import SAFE, urls
from foregate.gateway.cache.kept import Kept

__all__ = ["OTHER_METHOD", "SAFE", "Flow", "Kept", "urls"]
