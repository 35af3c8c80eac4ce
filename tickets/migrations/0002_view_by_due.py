import datetime
import django.db.models.functions.comparison
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0001_initial'),
        ('customers', '0001_initial'),
        ('knowledge', '0001_initial'),
        ('mail', '0001_initial'),
        ('tickets', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField(
            model_name='savedview',
            name='order',
            field=models.CharField(choices=[('-activity', 'Last message, newest first'), ('activity', 'Last message, oldest first'), ('-opened', 'Opened, newest first'), ('opened', 'Opened, oldest first'), ('waiting', 'Waiting on us longest first'), ('due', 'Due next first'), ('urgency', 'Most urgent first, then the oldest')], default='-activity', max_length=10),
        ),
        migrations.AddIndex(
            model_name='ticket',
            index=models.Index(django.db.models.functions.comparison.Coalesce(models.F('due_at'), models.Value(datetime.datetime(9999, 12, 31, 0, 0, tzinfo=datetime.timezone.utc), models.DateTimeField()), output_field=models.DateTimeField()), models.F('id'), condition=models.Q(('status__in', ('new', 'open', 'pending', 'hold'))), name='ticket_live_due'),
        ),
    ]
