"""django-post_office on messages of ours: `python -m bench.post_office FILE` prints messages a second as JSON.

A process and a configuration of its own, for its app is none of ours. It gets what is best for it: one batch of all
messages, which are rendered at the hand-over as ours are, and recorded.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import django
from django.conf import settings

PROCESSES = 2


def configure(database: dict[str, Any], port: int, batch: int) -> None:
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", **database}},
        INSTALLED_APPS=["post_office"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        EMAIL_HOST="127.0.0.1",
        EMAIL_PORT=port,
        POST_OFFICE={
            "BATCH_SIZE": batch,
            "THREADS_PER_PROCESS": 5,
            "BATCH_DELIVERY_TIMEOUT": 3600,
            "LOCK_FILE_NAME": f"post_office_{os.getpid()}",
        },
        SECRET_KEY="of the bench",
        USE_TZ=True,
        LOGGING_CONFIG=None,
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
    )
    django.setup()


def main(path: Path) -> None:
    what = json.loads(path.read_text())
    configure(what["database"], what["port"], len(what["people"]))
    from django.core.management import call_command
    from django.db import connections
    from post_office import mail
    from post_office.models import STATUS, Email, EmailTemplate

    call_command("migrate", verbosity=0)
    template = EmailTemplate.objects.create(
        name="bench", subject=what["subject"], content=what["text"], html_content=what["html"]
    )
    mail.send_many(
        [
            {
                "recipients": [each["to"]],
                "sender": what["sender"],
                "template": template,
                "context": each,
                "render_on_delivery": True,
            }
            for each in what["people"]
        ]
    )
    connections.close_all()
    began, before = time.perf_counter(), cpu()
    mail.send_queued(PROCESSES)
    taken, used = time.perf_counter() - began, cpu() - before
    connections.close_all()  # its processes have ended the session that they were forked with
    sent = Email.objects.filter(status=STATUS.sent).count()
    print(json.dumps({"sent": sent, "seconds": taken, "cpu": used}))


def cpu() -> float:
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in both)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
