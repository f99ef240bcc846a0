"""What ports look like in the real world: one library per module."""
