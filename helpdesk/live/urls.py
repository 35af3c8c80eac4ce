from django.urls import path

from helpdesk.live.streams import stream

urlpatterns = [path("live/", stream, name="live")]
