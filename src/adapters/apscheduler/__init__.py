"""APScheduler's trigger and job-state format, read with a restricted unpickler."""
