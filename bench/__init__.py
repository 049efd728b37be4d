"""Each figure that the README quotes, as a script anyone can run."""
