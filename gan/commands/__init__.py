"""The `gan` command."""
