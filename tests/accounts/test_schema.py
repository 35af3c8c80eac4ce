"""The schema of the API is whole: it tells how to sign in, and its generator has nothing to complain of."""

from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator


def test_every_call_says_that_it_needs_a_token(db: None) -> None:
    GENERATOR_STATS.reset()
    with GENERATOR_STATS.silence():
        schema = SchemaGenerator().get_schema(request=None, public=True)
    assert not GENERATOR_STATS, "the generator warns"
    assert schema["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    calls = [call for path, calls in schema["paths"].items() if "schema" not in path for call in calls.values()]
    assert len(calls) > 8 and all(call["security"] == [{"token": []}] for call in calls)


def test_pages_of_lists_share_their_parameters(db: None) -> None:
    schema = SchemaGenerator().get_schema(request=None, public=True)
    for path in ("customers/", "tickets/", "tickets/{number}/messages/"):
        found = next(calls["get"] for where, calls in schema["paths"].items() if where.strip("/").endswith(path.strip("/")))
        assert {"limit", "before"} <= {parameter["name"] for parameter in found["parameters"]}, path
