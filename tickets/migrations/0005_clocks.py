import django.contrib.postgres.fields
import django.db.models.deletion
import helpdesk.lib.dates
import tickets.models.clocks
from django.conf import settings
from django.db import migrations, models


# What clocks are counted from, of tickets that were there before: how they stood by their timeline, and how they stand now.
HISTORY = """
    INSERT INTO tickets_statuschange (ticket_id, at, status, priority, waiting_since, cause)
    SELECT ticket, at, status, priority, waiting_since, cause FROM (
        SELECT t.id AS ticket, e.id AS place, e.occurred_at AS at, t.priority, e.kind AS cause,
               CASE e.kind WHEN 'ticket.opened' THEN 'new' WHEN 'ticket.solved' THEN 'solved' WHEN 'ticket.closed' THEN 'closed'
                           WHEN 'ticket.marked_spam' THEN 'spam' ELSE e.payload->>'status' END AS status,
               CASE WHEN e.kind = 'ticket.opened' AND NOT COALESCE((e.payload->>'automatic')::boolean, false)
                    THEN e.occurred_at END AS waiting_since
        FROM customers_event e JOIN tickets_ticket t ON t.id = (e.payload->>'ticket')::bigint
        WHERE e.source = '' AND e.kind IN ('ticket.opened', 'ticket.status_changed', 'ticket.reopened', 'ticket.solved',
                                           'ticket.closed', 'ticket.marked_spam', 'ticket.cleared_of_spam')
        UNION ALL
        SELECT id, 9223372036854775807, last_message_at, priority, 'now', status, waiting_since FROM tickets_ticket
    ) AS known WHERE status IS NOT NULL ORDER BY place, ticket
"""


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0005_holidays'),
        ('customers', '0005_attributes_by_value'),
        ('knowledge', '0001_kernel'),
        ('mail', '0007_bcc'),
        ('tickets', '0004_bcc_and_forwards'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Clock',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('first_reply', 'First reply'), ('next_reply', 'Next reply'), ('resolution', 'Resolution'), ('full_resolution', 'Full resolution')], max_length=16)),
                ('started_at', models.DateTimeField()),
                ('policy_version', models.PositiveIntegerField(default=1)),
                ('hours', models.CharField(choices=[('business', 'Business hours'), ('calendar', 'Around the clock')], max_length=10)),
                ('target', models.PositiveIntegerField()),
                ('due_at', models.DateTimeField(null=True)),
                ('warn_at', models.DateTimeField(null=True)),
                ('left', models.IntegerField(null=True)),
                ('idle', models.CharField(blank=True, max_length=10)),
                ('idle_since', models.DateTimeField(null=True)),
                ('ended_at', models.DateTimeField(null=True)),
                ('ended_by', models.CharField(blank=True, max_length=10)),
                ('next_at', models.DateTimeField(null=True)),
                ('warned_at', models.DateTimeField(null=True)),
                ('breached_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['started_at', 'id'],
            },
        ),
        migrations.CreateModel(
            name='Policy',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=80, unique=True)),
                ('position', models.PositiveIntegerField()),
                ('is_on', models.BooleanField(default=True)),
                ('conditions', models.JSONField(blank=True, default=dict)),
                ('targets', models.JSONField(default=dict)),
                ('pauses', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=10), blank=True, default=tickets.models.clocks.usual_pauses, size=None)),
                ('warn_minutes', models.PositiveIntegerField(default=15)),
                ('version', models.PositiveIntegerField(default=1)),
                ('changed_at', models.DateTimeField(default=helpdesk.lib.dates.now)),
            ],
            options={
                'verbose_name_plural': 'policies',
                'ordering': ['position', 'id'],
            },
        ),
        migrations.CreateModel(
            name='Recount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason', models.CharField(max_length=200)),
                ('total', models.PositiveIntegerField()),
                ('done', models.PositiveIntegerField(default=0)),
                ('last_id', models.BigIntegerField(default=0)),
                ('started_at', models.DateTimeField(default=helpdesk.lib.dates.now)),
                ('finished_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='StatusChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('status', models.CharField(max_length=10)),
                ('priority', models.CharField(max_length=10)),
                ('waiting_since', models.DateTimeField(null=True)),
                ('cause', models.CharField(max_length=40)),
            ],
        ),
        migrations.AddField(
            model_name='ticket',
            name='breached_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='ticket',
            name='due_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddIndex(
            model_name='ticket',
            index=models.Index(condition=models.Q(('due_at__isnull', False), ('status__in', ('new', 'open', 'pending', 'hold'))), fields=['due_at', 'id'], name='ticket_due'),
        ),
        migrations.AddField(
            model_name='clock',
            name='ticket',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='clocks', to='tickets.ticket'),
        ),
        migrations.AddField(
            model_name='policy',
            name='calendar',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='policies', to='accounts.calendar'),
        ),
        migrations.AddField(
            model_name='clock',
            name='policy',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='tickets.policy'),
        ),
        migrations.AddField(
            model_name='recount',
            name='by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='statuschange',
            name='ticket',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='status_changes', to='tickets.ticket'),
        ),
        migrations.AddIndex(
            model_name='clock',
            index=models.Index(condition=models.Q(('next_at__isnull', False)), fields=['next_at'], name='clock_next'),
        ),
        migrations.AddIndex(
            model_name='clock',
            index=models.Index(condition=models.Q(('due_at__isnull', False), ('ended_at', None)), fields=['due_at'], name='clock_due'),
        ),
        migrations.AddConstraint(
            model_name='clock',
            constraint=models.UniqueConstraint(fields=('ticket', 'kind', 'started_at'), name='clock_once'),
        ),
        migrations.AddConstraint(
            model_name='recount',
            constraint=models.UniqueConstraint(models.Value(1), condition=models.Q(('finished_at', None)), name='recount_one'),
        ),
        migrations.AddIndex(
            model_name='statuschange',
            index=models.Index(fields=['ticket', 'id'], name='status_change_of_ticket'),
        ),
        migrations.RunSQL(HISTORY, migrations.RunSQL.noop),
    ]
