"""`python -m mood` is the command line."""

from mood.cli.app import main

main()
