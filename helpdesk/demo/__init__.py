"""Demo data, on top of everything and imported by nobody."""
