"""Published data sets as recordings: one module for each set, and what they share."""
