import django.db.models.deletion
import helpdesk.lib.dates
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [('knowledge', '0001_kernel'), ('knowledge', '0002_topics'), ('knowledge', '0003_no_merging')]

    initial = True

    dependencies = [
        ('accounts', '__first__'),
    ]

    operations = [
        migrations.CreateModel(
            name='Topic',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(max_length=80, unique=True)),
                ('name', models.CharField(max_length=120)),
                ('is_public', models.BooleanField(default=True)),
                ('created_at', models.DateTimeField(default=helpdesk.lib.dates.now)),
                ('archived_at', models.DateTimeField(null=True)),
                ('parent', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='children', to='knowledge.topic')),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='Answer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('title', models.CharField(max_length=160)),
                ('language', models.CharField(blank=True, max_length=10)),
                ('body', models.TextField(help_text='Markdown')),
                ('updated_at', models.DateTimeField(default=helpdesk.lib.dates.now)),
                ('archived_at', models.DateTimeField(blank=True, null=True)),
                ('updated_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL)),
                ('topic', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='answers', to='knowledge.topic')),
            ],
            options={
                'ordering': ['title'],
            },
        ),
    ]
