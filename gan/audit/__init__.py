"""What each of the study's losses is, before anything is trained."""
