import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tickets", "0003_spam")]

    operations = [
        migrations.AlterField(
            model_name="message",
            name="kind",
            field=models.CharField(
                choices=[
                    ("customer", "Message"),
                    ("reply", "Reply"),
                    ("note", "Note, team only"),
                    ("forward", "Forward"),
                    ("automatic", "Automatic"),
                ],
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="bcc",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=320), blank=True, null=True, size=None
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="forwards",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="tickets.message",
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("forwards__isnull", False)), fields=["forwards"], name="message_forwards"
            ),
        ),
        migrations.AlterField(
            model_name="draft",
            name="kind",
            field=models.CharField(
                choices=[("reply", "Reply"), ("note", "Note"), ("forward", "Forward")], default="reply", max_length=10
            ),
        ),
        migrations.AddField(model_name="draft", name="bcc", field=models.TextField(blank=True, default="", db_default="")),
        migrations.AddField(model_name="draft", name="to", field=models.TextField(blank=True, default="", db_default="")),
        migrations.AddField(
            model_name="draft",
            name="forwards",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="tickets.message",
            ),
        ),
    ]
