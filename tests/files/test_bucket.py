"""Files in a bucket by setting, against a local S3; nothing of it is given out but by our own views."""

import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from django.conf import settings as ours
from django.core.files.uploadedfile import SimpleUploadedFile
from moto.server import ThreadedMotoServer

from helpdesk.files.models import Blob
from tests.pictures import drawing
from tickets import attachments
from tickets.models import Ticket

pytestmark = pytest.mark.django_db


@pytest.fixture
def bucket(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    place = {
        "FILES_S3_BUCKET": "nordwind",
        "FILES_S3_ENDPOINT": f"http://{host}:{port}",
        "FILES_S3_REGION": "eu-central-1",
        "FILES_S3_KEY": "key",
        "FILES_S3_SECRET": "secret",
        "FILES_S3_PREFIX": "files",
        "FILES_S3_ADDRESSING": "path",
    }
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    settings.STORAGES = runpy.run_path(str(Path(ours.BASE_DIR) / "helpdesk/settings.py"))["STORAGES"]  # as a start reads it
    login = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "eu-central-1"}
    s3 = boto3.resource("s3", endpoint_url=place["FILES_S3_ENDPOINT"], **login)
    yield s3.create_bucket(Bucket="nordwind", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    server.stop()


def test_a_file_lives_in_the_bucket_and_leaves_by_our_door(bucket: Any, ticket: Ticket, browser: Any, ana: Any) -> None:
    files = [
        SimpleUploadedFile(name, content) for name, content in (("plan.png", drawing()), ("a.txt", b"words"), ("empty", b""))
    ]
    kept = attachments.keep_uploads(files)
    ticket.messages.get().attachments.set(kept)
    keys = {each.key for each in bucket.objects.all()}
    assert keys == {f"files/{file.blob.key}" for file in kept} and not any("plan" in key or "." in key for key in keys)
    again = attachments.keep(SimpleUploadedFile("same.png", drawing()), "same.png")
    assert again.blob == kept[0].blob and len(list(bucket.objects.all())) == 3
    assert Blob.objects.get(pk=kept[1].blob_id).open().read() == b"words"

    page = browser(ana)
    for file, content in zip(kept, (drawing(), b"words", b""), strict=True):
        answer = page.get(f"/tickets/files/{file.pk}/")
        assert answer.status_code == 200 and b"".join(answer.streaming_content) == content
        assert answer["Content-Disposition"].startswith("attachment")
    small = page.get(f"/tickets/files/{kept[0].pk}/picture/small/")
    assert small["Content-Type"] == "image/webp" and len(list(bucket.objects.all())) == 4
    assert page.get(f"/tickets/files/{kept[0].pk}/picture/small/").content == small.content
    shown = page.get(f"/tickets/{ticket.number}/").content.decode()
    assert "127.0.0.1" not in shown and "Signature" not in shown and "nordwind/files" not in shown
