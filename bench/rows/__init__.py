"""One module for each part of the product; each has ``measure(results, size)``."""
