"""foregate: an API gateway that sees failures coming. Start at ARCHITECTURE.md, or at the package of a plane."""

__version__ = "0.1.0"
