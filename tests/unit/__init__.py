"""Domain and fakes, no I/O."""
