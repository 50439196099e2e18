"""One step a file, in order; a file that was ever released never changes."""
