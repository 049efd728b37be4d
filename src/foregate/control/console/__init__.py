"""The console's own files: the sign-in page, and the built page in `assets/` (made by `make web`, never committed)."""
