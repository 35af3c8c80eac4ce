"""Pages: read by everybody who answers customers, written by managers, and the public ones behind a message's link."""
