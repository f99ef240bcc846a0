"""`python -m entrypoints` and the `agpt-scheduler` script."""

from entrypoints.cli import app


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
