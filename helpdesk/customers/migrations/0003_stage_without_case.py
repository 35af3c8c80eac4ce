"""Conditions compare text without case, so the index of stages holds them in upper case."""

from django.db import migrations, models
from django.db.models.functions import Upper


class Migration(migrations.Migration):
    dependencies = [("customers", "0002_append_only")]
    operations = [
        migrations.RemoveIndex(model_name="customer", name="customer_stage"),
        migrations.AddIndex(model_name="customer", index=models.Index(Upper("stage"), "id", name="customer_stage")),
    ]
