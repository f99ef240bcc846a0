"""The engine over the in-memory adapters, with simulated time and injected faults."""
