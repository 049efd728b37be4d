"""Which model judges whom: the rules of promotion and rollback, the desk that people work at, the analyzer's choice."""
