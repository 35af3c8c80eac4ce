import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0004_calendars'),
    ]

    operations = [
        migrations.CreateModel(
            name='HolidaySource',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('country', models.CharField(blank=True, max_length=2)),
                ('subdivision', models.CharField(blank=True, max_length=40)),
                ('first_year', models.IntegerField(null=True)),
                ('last_year', models.IntegerField(null=True)),
                ('url', models.URLField(blank=True, max_length=500)),
                ('next_at', models.DateTimeField(null=True)),
                ('read_at', models.DateTimeField(null=True)),
                ('fault', models.CharField(blank=True, max_length=200)),
                ('calendar', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sources', to='accounts.calendar')),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='Holiday',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField()),
                ('name', models.CharField(max_length=120)),
                ('is_worked', models.BooleanField(default=False)),
                ('calendar', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='holidays', to='accounts.calendar')),
                ('source', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='holidays', to='accounts.holidaysource')),
            ],
            options={
                'ordering': ['day'],
            },
        ),
        migrations.AddIndex(
            model_name='holidaysource',
            index=models.Index(condition=models.Q(('next_at__isnull', False)), fields=['next_at'], name='holiday_source_due'),
        ),
        migrations.AddConstraint(
            model_name='holidaysource',
            constraint=models.UniqueConstraint(fields=('calendar', 'country', 'subdivision', 'url'), name='holiday_source_once'),
        ),
        migrations.AddConstraint(
            model_name='holidaysource',
            constraint=models.CheckConstraint(condition=models.Q(('country', ''), ('url', ''), _connector='XOR'), name='holiday_source_is_one'),
        ),
        migrations.AddConstraint(
            model_name='holiday',
            constraint=models.UniqueConstraint(fields=('calendar', 'day'), name='holiday_once'),
        ),
    ]
