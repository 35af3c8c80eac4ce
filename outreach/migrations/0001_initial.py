"""The database itself keeps a launched version as it was launched."""

import datetime
import django.db.models.deletion
import helpdesk.customers.models
import helpdesk.lib.dates
import outreach.models
from django.conf import settings
from django.db import migrations, models


KEEP = """
CREATE FUNCTION outreach_version_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- who wrote or launched it may leave the company; everything else stays
    IF OLD.launched_at IS NOT NULL
       AND to_jsonb(OLD) - 'created_by_id' - 'launched_by_id' <> to_jsonb(NEW) - 'created_by_id' - 'launched_by_id' THEN
        RAISE EXCEPTION 'version % is launched and never changes', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER version_fixed BEFORE UPDATE ON outreach_version FOR EACH ROW EXECUTE FUNCTION outreach_version_fixed();
"""
UNDO = "DROP TRIGGER version_fixed ON outreach_version; DROP FUNCTION outreach_version_fixed();"


class Migration(migrations.Migration):

    replaces = [('outreach', '0001_campaigns'), ('outreach', '0002_fixed_versions')]

    initial = True

    dependencies = [
        ('accounts', '__first__'),
        ('customers', '0001_initial'),
        ('knowledge', '0001_initial'),
        ('mail', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Campaign',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=120, verbose_name='name')),
                ('klass', models.CharField(choices=[('lifecycle', 'Lifecycle: helps them along'), ('promotional', 'Promotional: sells something'), ('transactional', 'Transactional: they asked for it by what they did')], default='lifecycle', max_length=14, verbose_name='kind of message')),
                ('status', models.CharField(choices=[('draft', 'Draft'), ('running', 'Running'), ('paused', 'Paused'), ('finished', 'Finished'), ('cancelled', 'Cancelled')], default='draft', max_length=10)),
                ('holds', models.JSONField(default=outreach.models.open_ticket)),
                ('created_at', models.DateTimeField(default=helpdesk.lib.dates.now)),
                ('updated_at', models.DateTimeField(default=helpdesk.lib.dates.now)),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('mailbox', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to='mail.mailbox', verbose_name='sent from')),
                ('subscription', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to='customers.subscription', verbose_name='subscription')),
                ('topic', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, to='knowledge.topic', verbose_name='topic')),
            ],
            options={
                'indexes': [models.Index(fields=['-id'], name='campaign_newest')],
                'constraints': [models.CheckConstraint(condition=models.Q(('klass', 'transactional'), ('subscription__isnull', False), ('status', 'draft'), _connector='OR'), name='campaign_subscription')],
            },
        ),
        migrations.CreateModel(
            name='Version',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('trigger_kind', models.CharField(blank=True, max_length=80)),
                ('entry_key', models.CharField(blank=True, max_length=120)),
                ('exit_kind', models.CharField(blank=True, max_length=80)),
                ('conditions', models.JSONField(default=helpdesk.customers.models.everybody)),
                ('steps', models.JSONField(default=list)),
                ('quiet_from', models.TimeField(default=datetime.time(22, 0), null=True)),
                ('quiet_until', models.TimeField(default=datetime.time(8, 0), null=True)),
                ('cap', models.PositiveSmallIntegerField(default=2, null=True)),
                ('cap_days', models.PositiveSmallIntegerField(default=7)),
                ('postal_address', models.CharField(blank=True, max_length=300)),
                ('created_at', models.DateTimeField(default=helpdesk.lib.dates.now)),
                ('launched_at', models.DateTimeField(null=True)),
                ('campaign', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='versions', to='outreach.campaign')),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('launched_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('launched_at__isnull', False)), fields=['trigger_kind'], name='version_trigger'), models.Index(condition=models.Q(('launched_at__isnull', False), models.Q(('exit_kind', ''), _negated=True)), fields=['exit_kind'], name='version_exit')],
                'constraints': [models.UniqueConstraint(fields=('campaign', 'number'), name='version_once'), models.UniqueConstraint(condition=models.Q(('launched_at', None)), fields=('campaign',), name='version_one_draft')],
            },
        ),
        migrations.CreateModel(
            name='Enrolment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('entry_key', models.CharField(blank=True, max_length=200)),
                ('event_id', models.BigIntegerField(null=True)),
                ('properties', models.JSONField(default=dict)),
                ('state', models.CharField(choices=[('active', 'On the way'), ('finished', 'Finished'), ('left', 'Left early'), ('cancelled', 'Cancelled')], default='active', max_length=10)),
                ('step', models.PositiveSmallIntegerField(default=0)),
                ('next_at', models.DateTimeField(null=True)),
                ('reason', models.CharField(blank=True, max_length=300)),
                ('created_at', models.DateTimeField(default=helpdesk.lib.dates.now)),
                ('finished_at', models.DateTimeField(null=True)),
                ('replied_at', models.DateTimeField(null=True)),
                ('unsubscribed_at', models.DateTimeField(null=True)),
                ('campaign', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='enrolments', to='outreach.campaign')),
                ('customer', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='customers.customer')),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='enrolments', to='outreach.version')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('state', 'active')), fields=['next_at', 'id'], name='enrolment_due'), models.Index(fields=['campaign', 'state'], name='enrolment_counts'), models.Index(fields=['customer', '-id'], name='enrolment_customer')],
                'constraints': [models.UniqueConstraint(fields=('campaign', 'customer', 'entry_key'), name='enrolment_once')],
            },
        ),
        migrations.RunSQL(KEEP, UNDO),
    ]
