"""`python -m gan` is the `gan` command."""

from gan.cli import main

main()
