"""Conditions ask which customers hold a value: an index of values by their keys."""

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("customers", "0004_failing_deliveries")]
    operations = [
        migrations.AddIndex(
            model_name="customer",
            index=GinIndex(OpClass("attributes", name="jsonb_path_ops"), name="customer_attributes"),
        ),
    ]
