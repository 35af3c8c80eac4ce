from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tickets", "0001_tickets")]

    operations = [migrations.AddField("message", "verified", models.BooleanField(null=True))]
