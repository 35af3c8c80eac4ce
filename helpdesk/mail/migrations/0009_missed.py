import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("mail", "0007_bcc")]

    operations = [
        migrations.AddField(model_name="outgoing", name="only", field=models.JSONField(null=True)),
        migrations.AddField(model_name="outgoing", name="missed", field=models.JSONField(null=True)),
        migrations.AddField(
            model_name="outgoing",
            name="copy_of",
            field=models.ForeignKey(
                db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name="copies", to="mail.outgoing"
            ),
        ),
    ]
