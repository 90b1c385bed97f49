"""The report's figures: which there are, what each shows, and how they are drawn."""
