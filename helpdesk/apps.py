from importlib import import_module

from django.apps import AppConfig
from django.conf import settings


class HelpdeskConfig(AppConfig):
    name = "helpdesk"

    def ready(self) -> None:
        # `celery` so that shared tasks find our broker: here and not in the package, whose supervisor needs no Django
        from helpdesk import celery, checks  # noqa: F401  both register themselves

        for module in settings.CONDITION_FIELDS:  # each registers its fields; all models are there by now
            import_module(module)
