"""What `make bench` measures and `make chaos` breaks: on top of everything, imported by nobody."""
