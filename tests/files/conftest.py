"""Files come with letters to tickets: the fixtures of both."""

from tests.tickets.conftest import letter, post, ticket

__all__ = ["letter", "post", "ticket"]
