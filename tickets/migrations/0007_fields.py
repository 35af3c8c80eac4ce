import django.contrib.postgres.indexes
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('tickets', '0006_rules'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='ticket',
            index=django.contrib.postgres.indexes.GinIndex(
                django.contrib.postgres.indexes.OpClass('attributes', name='jsonb_path_ops'), name='ticket_attributes'
            ),
        ),
    ]
