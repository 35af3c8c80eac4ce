"""The database itself keeps consent and timeline append-only; rows go only with an erasure or when they expire."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.functions.text
import helpdesk.lib.dates
from django.conf import settings
from django.contrib.postgres.operations import TrigramExtension
from django.db import migrations, models


KEEP = """
CREATE FUNCTION customers_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- `append_only.erasing()` sets this for one transaction; nothing sets it for a session.
    IF TG_OP = 'DELETE' AND current_setting('twofold.erasing', true) = 'on' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER consent_append_only BEFORE UPDATE OR DELETE ON customers_consent
    FOR EACH ROW EXECUTE FUNCTION customers_append_only();
CREATE TRIGGER event_append_only BEFORE UPDATE OR DELETE ON customers_event
    FOR EACH ROW EXECUTE FUNCTION customers_append_only();
CREATE TRIGGER consent_no_truncate BEFORE TRUNCATE ON customers_consent
    FOR EACH STATEMENT EXECUTE FUNCTION customers_append_only();
CREATE TRIGGER event_no_truncate BEFORE TRUNCATE ON customers_event
    FOR EACH STATEMENT EXECUTE FUNCTION customers_append_only();
"""
UNDO = """
DROP TRIGGER consent_append_only ON customers_consent;
DROP TRIGGER event_append_only ON customers_event;
DROP TRIGGER consent_no_truncate ON customers_consent;
DROP TRIGGER event_no_truncate ON customers_event;
DROP FUNCTION customers_append_only();
"""


class Migration(migrations.Migration):

    replaces = [('customers', '0001_kernel'), ('customers', '0002_append_only'), ('customers', '0003_stage_without_case'), ('customers', '0004_failing_deliveries'), ('customers', '0005_attributes_by_value'), ('customers', '0006_fields')]

    initial = True

    dependencies = [
        ('accounts', '__first__'),
    ]

    operations = [
        TrigramExtension(),
        migrations.CreateModel(
            name='Subscription',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(max_length=60, unique=True)),
                ('name', models.CharField(max_length=120)),
                ('description', models.TextField(blank=True)),
                ('opt_in', models.BooleanField(default=True)),
                ('created_at', models.DateTimeField(default=helpdesk.lib.dates.now)),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='Company',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('external_id', models.CharField(blank=True, max_length=200, null=True, unique=True)),
                ('name', models.CharField(max_length=200)),
                ('zone', models.CharField(blank=True, max_length=64)),
                ('attributes', models.JSONField(blank=True, default=dict)),
                ('created_at', models.DateTimeField(default=helpdesk.lib.dates.now)),
            ],
            options={
                'indexes': [django.contrib.postgres.indexes.GinIndex(django.contrib.postgres.indexes.OpClass('attributes', name='jsonb_path_ops'), name='company_attributes')],
            },
        ),
        migrations.CreateModel(
            name='Customer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('external_id', models.CharField(blank=True, max_length=200, null=True, unique=True)),
                ('name', models.CharField(blank=True, max_length=200)),
                ('language', models.CharField(blank=True, max_length=10)),
                ('zone', models.CharField(blank=True, max_length=64)),
                ('stage', models.CharField(blank=True, max_length=40)),
                ('attributes', models.JSONField(blank=True, default=dict)),
                ('created_at', models.DateTimeField(default=helpdesk.lib.dates.now)),
                ('updated_at', models.DateTimeField(default=helpdesk.lib.dates.now)),
                ('company', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='customers', to='customers.company')),
            ],
            options={
                'indexes': [django.contrib.postgres.indexes.GinIndex(django.contrib.postgres.indexes.OpClass(django.db.models.functions.text.Upper('name'), name='gin_trgm_ops'), name='customer_name_words'), models.Index(fields=['-id'], name='customer_newest'), models.Index(django.db.models.functions.text.Upper('stage'), models.F('id'), name='customer_stage'), django.contrib.postgres.indexes.GinIndex(django.contrib.postgres.indexes.OpClass('attributes', name='jsonb_path_ops'), name='customer_attributes')],
            },
        ),
        migrations.CreateModel(
            name='Address',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('channel', models.CharField(default='email', max_length=20)),
                ('canonical', models.CharField(max_length=320)),
                ('shown', models.CharField(max_length=320)),
                ('is_primary', models.BooleanField(default=True)),
                ('proved_at', models.DateTimeField(blank=True, null=True)),
                ('reachability', models.CharField(choices=[('unknown', 'Not tried yet'), ('reachable', 'Works'), ('unreachable', 'Does not work')], default='unknown', max_length=12)),
                ('reason', models.CharField(blank=True, max_length=300)),
                ('soft_failures', django.contrib.postgres.fields.ArrayField(base_field=models.DateTimeField(), blank=True, default=list, size=5)),
                ('changed_at', models.DateTimeField(default=helpdesk.lib.dates.now)),
                ('customer', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='addresses', to='customers.customer')),
            ],
            options={
                'indexes': [django.contrib.postgres.indexes.GinIndex(django.contrib.postgres.indexes.OpClass('canonical', name='gin_trgm_ops'), name='address_words')],
                'constraints': [models.UniqueConstraint(fields=('channel', 'canonical'), name='address_once')],
            },
        ),
        migrations.CreateModel(
            name='Event',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=80)),
                ('source', models.CharField(blank=True, max_length=80)),
                ('external_id', models.CharField(max_length=200, null=True)),
                ('occurred_at', models.DateTimeField()),
                ('received_at', models.DateTimeField()),
                ('actor', models.CharField(blank=True, max_length=80)),
                ('payload', models.JSONField(default=dict)),
                ('customer', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='customers.customer')),
            ],
            options={
                'indexes': [models.Index(fields=['customer', '-occurred_at', '-id'], name='event_timeline'), models.Index(fields=['customer', 'kind', 'occurred_at'], name='event_did'), models.Index(condition=models.Q(('source', ''), _negated=True), fields=['received_at'], name='event_received')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('external_id__isnull', False)), fields=('source', 'external_id'), name='event_once')],
            },
        ),
        migrations.CreateModel(
            name='EventDelivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('event_id', models.BigIntegerField()),
                ('subscriber', models.CharField(max_length=120)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('next_at', models.DateTimeField(null=True)),
                ('last_error', models.TextField(blank=True)),
                ('created_at', models.DateTimeField(default=helpdesk.lib.dates.now)),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('next_at__isnull', False)), fields=['subscriber', 'next_at', 'id'], name='delivery_due'), models.Index(condition=models.Q(('attempts__gt', 0)), fields=['-attempts', 'id'], name='delivery_failing'), models.Index(fields=['created_at'], name='delivery_oldest')],
                'constraints': [models.UniqueConstraint(fields=('event_id', 'subscriber'), name='delivery_once')],
            },
        ),
        migrations.CreateModel(
            name='FieldDefinition',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('subject', models.CharField(choices=[('customer', 'Customer'), ('company', 'Company'), ('ticket', 'Ticket')], max_length=10)),
                ('key', models.SlugField(max_length=60)),
                ('label', models.CharField(max_length=120)),
                ('type', models.CharField(choices=[('text', 'Text'), ('number', 'Number'), ('date', 'Date'), ('boolean', 'Yes or no'), ('choice', 'Choice'), ('multi', 'Several choices'), ('lookup', 'Somebody or something we know')], max_length=10)),
                ('choices', models.JSONField(blank=True, default=list)),
                ('target', models.CharField(blank=True, choices=[('customer', 'Customer'), ('company', 'Company'), ('user', 'Person who works here'), ('ticket', 'Ticket')], max_length=10)),
                ('hint', models.CharField(blank=True, max_length=300)),
            ],
            options={
                'ordering': ['subject', 'label'],
                'constraints': [models.UniqueConstraint(fields=('subject', 'key'), name='field_once')],
            },
        ),
        migrations.CreateModel(
            name='Segment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=120, unique=True)),
                ('conditions', models.JSONField(default=dict)),
                ('created_at', models.DateTimeField(default=helpdesk.lib.dates.now)),
                ('updated_at', models.DateTimeField(default=helpdesk.lib.dates.now)),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='Consent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('given', models.BooleanField()),
                ('basis', models.CharField(choices=[('consent', 'Consent'), ('contract', 'Contract'), ('interest', 'Legitimate interest')], default='consent', max_length=10)),
                ('source', models.CharField(max_length=120)),
                ('wording', models.TextField(blank=True)),
                ('proof', models.JSONField(blank=True, default=dict)),
                ('at', models.DateTimeField(default=helpdesk.lib.dates.now)),
                ('expires_at', models.DateTimeField(blank=True, null=True)),
                ('customer', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='consents', to='customers.customer')),
                ('subscription', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='customers.subscription')),
            ],
            options={
                'indexes': [models.Index(fields=['customer', 'subscription', '-id'], name='consent_newest')],
            },
        ),
        migrations.CreateModel(
            name='Suppression',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('channel', models.CharField(default='email', max_length=20)),
                ('digest', models.CharField(max_length=64)),
                ('reason', models.CharField(choices=[('complaint', 'Complained of our mail'), ('opt_out', 'Asked for no more mail'), ('legal', 'Legal'), ('manual', 'Set by a person')], max_length=12)),
                ('source', models.CharField(max_length=120)),
                ('at', models.DateTimeField(default=helpdesk.lib.dates.now)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('channel', 'digest'), name='suppression_once')],
            },
        ),
        migrations.RunSQL(KEEP, UNDO),
    ]
