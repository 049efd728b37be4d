"""Abuse detection: consumes request events, says whom to block, why and until when. In the analyzer process."""
