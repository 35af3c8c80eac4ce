from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('mail', '0001_initial'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='webhookdelivery',
            index=models.Index(condition=models.Q(models.Q(('state', 'done'), _negated=True), models.Q(('error', ''), _negated=True)), fields=['-id'], name='webhook_troubled'),
        ),
    ]
