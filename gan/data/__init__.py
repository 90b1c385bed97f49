"""The data sets, and how their files get here."""
