from django.apps import AppConfig


class IncidentsConfig(AppConfig):
    name = "helpdesk.incidents"
    label = "incidents"
