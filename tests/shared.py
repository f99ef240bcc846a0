"""Where the recordings are: what the original answered, stored and called, and what real cron does."""

from pathlib import Path

SHARED = Path(__file__).parent / "recordings"
