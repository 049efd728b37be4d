"""The JSON API under /api/v1, one file per resource: its models, its pure translation, its route."""
