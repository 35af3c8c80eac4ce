"""Outreach's addresses."""

from django.urls import path

from outreach import public

urlpatterns = [
    path("u/<str:token>", public.unsubscribe, name="unsubscribe"),
    path("u/<str:token>/undo", public.undo, name="unsubscribe-undo"),
    path("u/<str:token>/choices", public.choices, name="subscriptions"),
]
