"""The command line: through typer's runner and as processes, against running services."""
