from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tickets', '0002_view_by_due'),
    ]

    operations = [
        migrations.AddField(
            model_name='rule',
            name='began_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='ticket',
            name='imported_at',
            field=models.DateTimeField(null=True),
        ),
    ]
