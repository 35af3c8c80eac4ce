from django.urls import path

from tickets.views import acts, desk, files, submit

urlpatterns = [
    path("inbox/", desk.inbox, name="inbox"),
    path("inbox/<slug:slug>/", desk.inbox, name="inbox-view"),
    path("tickets/<int:number>/", desk.ticket, name="ticket"),
    path("tickets/<int:number>/properties/", desk.properties, name="ticket-properties"),
    path("tickets/<int:number>/change/", acts.change, name="ticket-change"),
    path("tickets/<int:number>/unsolve/", acts.unsolve, name="ticket-unsolve"),
    path("tickets/<int:number>/compose/", acts.compose, name="ticket-compose"),
    path("tickets/<int:number>/draft/", acts.draft, name="ticket-draft"),
    path("tickets/<int:number>/answers/", acts.answers, name="ticket-answers"),
    path("tickets/<int:number>/insert/", acts.insert, name="ticket-insert"),
    path("tickets/<int:number>/messages/<int:message>/unsend/", acts.unsend, name="ticket-unsend"),
    path("tickets/<int:number>/messages/<int:message>/resend/", acts.resend, name="ticket-resend"),
    path("tickets/<int:number>/sent/", files.sent, name="ticket-sent"),
    path("tickets/files/<int:pk>/", files.file, name="ticket-file"),
    path("write/", submit.submit, name="submit"),
    path("write/thanks/", submit.thanks, name="submit-thanks"),
]
