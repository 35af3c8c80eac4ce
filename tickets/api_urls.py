from django.urls import path

from tickets import api

urlpatterns = [
    path("tickets", api.Tickets.as_view(), name="api-tickets"),
    path("tickets/<int:number>", api.OneTicket.as_view(), name="api-ticket"),
    path("tickets/<int:number>/messages", api.Messages.as_view(), name="api-ticket-messages"),
]
