"""A small real service for tests: `GET /anything` → JSON; prints its port."""

import asyncio

from foregate.http1 import Request, Response, Server
from foregate.kernel.clock import SystemClock


async def handle(request: Request) -> Response:
    if request.path.startswith("/fail"):
        return Response(500, b'{"ok": false}')
    return Response(200, b'{"ok": true}')


async def main() -> None:
    server = Server(handle, SystemClock())
    print(await server.start("127.0.0.1", 0), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
