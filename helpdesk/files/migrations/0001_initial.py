import django.db.models.deletion
import helpdesk.lib.dates
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [('files', '0001_kernel'), ('files', '0002_scanned')]

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Blob',
            fields=[
                ('sha256', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('size', models.BigIntegerField()),
                ('key', models.CharField(max_length=120, unique=True)),
                ('created_at', models.DateTimeField(default=helpdesk.lib.dates.now)),
                ('scan', models.CharField(blank=True, choices=[('', 'Not asked'), ('waiting', 'Not scanned yet'), ('clean', 'Nothing found'), ('held', 'Held')], db_default='', default='', max_length=8)),
                ('scan_note', models.CharField(blank=True, db_default='', max_length=200)),
                ('scanned_at', models.DateTimeField(null=True)),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('scan', 'waiting')), fields=['created_at'], name='blob_to_scan')],
            },
        ),
        migrations.CreateModel(
            name='Attachment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=255)),
                ('content_type', models.CharField(default='application/octet-stream', max_length=127)),
                ('content_id', models.CharField(blank=True, max_length=255)),
                ('inline', models.BooleanField(default=False)),
                ('created_at', models.DateTimeField(default=helpdesk.lib.dates.now)),
                ('blob', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='files.blob')),
            ],
        ),
    ]
