"""What a generator draws, as pictures, and the generators that are published."""
