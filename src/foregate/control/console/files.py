"""Serves the built console: hashed files for ever, everything else fresh each time."""

from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse, Response

from foregate.kernel.errors import ForegateError

ASSETS = Path(str(files("foregate.control.console").joinpath("assets")))
_FOR_EVER = "public, max-age=31536000, immutable"
_UNBUILT = files("foregate.control.console").joinpath("unbuilt.html").read_text()


def console_router(assets: Path = ASSETS) -> APIRouter:
    """The page at / and the files beside it. Where the page is not built it says how to build it."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    def index() -> Response:
        page = assets / "index.html"
        if not page.is_file():
            return HTMLResponse(_UNBUILT, 503)
        return FileResponse(page, headers={"Cache-Control": "no-cache"})

    @router.get("/assets/{name}")
    def hashed(name: str) -> Response:
        return _file(assets / "assets", name, _FOR_EVER)

    @router.get("/{name}")
    def beside(name: str) -> Response:
        return _file(assets, name, "no-cache")

    return router


def _file(folder: Path, name: str, caching: str) -> Response:
    """One file of `folder` itself: a name with a separator or a leading dot never gets here or is refused."""
    path = folder / name
    if name.startswith(".") or "/" in name or "\\" in name or "\0" in name or not path.is_file():
        raise ForegateError("not_found")
    return FileResponse(path, headers={"Cache-Control": caching})
