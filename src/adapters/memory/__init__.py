"""A fake per port, under the same file names: public state, no rules."""
