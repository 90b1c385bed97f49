"""`python -m gan` is the `gan` command."""

from gan.commands.app import main

main()
