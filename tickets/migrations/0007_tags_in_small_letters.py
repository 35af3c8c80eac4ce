from unicodedata import normalize

from django.db import migrations, transaction
from django.db.models import Func, TextField

SET = 2000


def spelled(tag):
    """As tickets.models.terms had it then: `Vip` and `vip` were two tags, and are one."""
    return normalize("NFC", " ".join(tag.lower().split()))[:60].strip()


def spell(apps, editor):
    """Rows that have a tag spelled otherwise, a set in a transaction: it goes on where it was stopped."""
    for app, name in (("tickets", "Ticket"), ("tickets", "TicketForm"), ("accounts", "Skill")):
        rows = apps.get_model(app, name).objects.order_by()
        each = rows.annotate(tag=Func("tags", function="unnest", output_field=TextField())).values_list("tag", flat=True)
        others = [tag for tag in each.distinct() if spelled(tag) != tag]
        while others:
            with transaction.atomic():
                found = list(rows.filter(tags__overlap=others).select_for_update(of=("self",))[:SET])
                for row in found:
                    row.tags = sorted({spelled(tag) for tag in row.tags})
                rows.bulk_update(found, ["tags"])
            if len(found) < SET:
                break


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("tickets", "0006_rule_hours"), ("accounts", "0003_archive")]

    operations = [migrations.RunPython(spell, migrations.RunPython.noop)]
