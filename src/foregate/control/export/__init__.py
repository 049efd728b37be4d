"""Rows on their way out as a file: encoders that keep nothing but what is not sent yet."""

from foregate.control.export.text import ENCODERS, Column, RowEncoder

__all__ = ["ENCODERS", "Column", "RowEncoder"]
