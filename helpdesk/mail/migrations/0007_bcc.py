from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("mail", "0006_worked_at")]

    operations = [migrations.AddField(model_name="outgoing", name="bcc", field=models.JSONField(null=True))]
