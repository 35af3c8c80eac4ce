"""The addresses of incidents."""

from django.urls import path

from helpdesk.incidents import views

urlpatterns = [
    path("incidents/", views.incident_list, name="incidents"),
    path("incidents/new/", views.incident, name="incident-add"),
    path("incidents/<int:pk>/", views.incident, name="incident"),
    path("incidents/<int:pk>/resolve/", views.resolve, name="incident-resolve"),
    path("incidents/<int:pk>/reopen/", views.reopen, name="incident-reopen"),
]
