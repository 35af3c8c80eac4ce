import django.db.models.deletion
import helpdesk.customers.models
import helpdesk.lib.dates
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [('incidents', '0001_incidents')]

    initial = True

    dependencies = [
        ('accounts', '__first__'),
        ('knowledge', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Incident',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('title', models.CharField(max_length=120)),
                ('words', models.TextField(blank=True, max_length=2000)),
                ('conditions', models.JSONField(default=helpdesk.customers.models.everybody)),
                ('opened_at', models.DateTimeField(default=helpdesk.lib.dates.now)),
                ('resolved_at', models.DateTimeField(null=True)),
                ('opened_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('resolved_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('topic', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='knowledge.topic')),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(condition=models.Q(('resolved_at', None)), fields=['-id'], name='incident_open')],
            },
        ),
    ]
