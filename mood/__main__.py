"""The program `mood`, and `python -m mood`."""

from mood.cli import stopping


def main() -> None:
    """Run the command line; signals are answered before it is imported."""
    stopping.begin()
    from mood.cli.app import main as run

    run()


if __name__ == "__main__":
    main()
