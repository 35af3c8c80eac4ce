"""An address that leads nowhere says so in the language of whoever asks."""

import pytest


@pytest.mark.django_db
def test_the_api_answers_in_json_and_pages_as_pages(client):
    api, page = client.get("/api/v1/nope"), client.get("/nope/")
    assert api.status_code == page.status_code == 404
    assert api.json() == {"detail": "There is nothing at this address."} and "text/html" in page["Content-Type"]
