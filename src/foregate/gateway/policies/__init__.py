"""One pure decision per file: values in, verdict out; no clock, no chance and no effect inside."""
