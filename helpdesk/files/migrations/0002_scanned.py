from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("files", "0001_kernel")]

    operations = [
        migrations.AddField(
            model_name="blob",
            name="scan",
            field=models.CharField(
                blank=True,
                choices=[("", "Not asked"), ("waiting", "Not scanned yet"), ("clean", "Nothing found"), ("held", "Held")],
                db_default="",
                default="",
                max_length=8,
            ),
        ),
        migrations.AddField(model_name="blob", name="scan_note", field=models.CharField(blank=True, db_default="", max_length=200)),
        migrations.AddField(model_name="blob", name="scanned_at", field=models.DateTimeField(null=True)),
        migrations.AddIndex(
            model_name="blob",
            index=models.Index(
                condition=models.Q(("scan", "waiting")), fields=["created_at"], name="blob_to_scan"
            ),
        ),
    ]
