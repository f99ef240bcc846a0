"""What the domain needs from the outside world: one Protocol per file, with the frozen records it carries."""
