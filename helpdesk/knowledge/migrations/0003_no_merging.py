from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [("knowledge", "0002_topics")]

    operations = [migrations.RemoveField(model_name="topic", name="merged_into")]
