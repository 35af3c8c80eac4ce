from django.apps import AppConfig


class FilesConfig(AppConfig):
    name = "helpdesk.files"
    label = "files"
