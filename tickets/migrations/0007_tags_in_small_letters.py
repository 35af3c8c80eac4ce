from django.db import migrations

# `Vip` and `vip` were two tags; each is kept in small letters from now on, as tickets.models.terms.spelled has it
SPELL = """
    UPDATE {table} SET tags = ARRAY(SELECT DISTINCT normalize(lower(tag), NFC) FROM unnest(tags) AS tag ORDER BY 1)
    WHERE EXISTS (SELECT 1 FROM unnest(tags) AS tag WHERE tag <> normalize(lower(tag), NFC))
"""


class Migration(migrations.Migration):
    dependencies = [("tickets", "0006_rule_hours"), ("accounts", "0003_archive")]

    operations = [
        migrations.RunSQL(SPELL.format(table=table), migrations.RunSQL.noop)
        for table in ("tickets_ticket", "tickets_ticketform", "accounts_skill")
    ]
