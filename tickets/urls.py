from django.urls import path

from tickets.views import acts, blocked, desk, files, paper, submit

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
    path("tickets/<int:number>/print/", paper.printed, name="ticket-print"),
    path("tickets/<int:number>/block/", blocked.block, name="ticket-block"),
    path("blocked/", blocked.blocked, name="blocked"),
    path("blocked/<int:pk>/unblock/", blocked.unblock, name="unblock"),
    path("tickets/<int:number>/sent/", files.sent, name="ticket-sent"),
    path("tickets/files/<int:pk>/", files.file, name="ticket-file"),
    path("tickets/files/<int:pk>/look/", files.look, name="ticket-file-look"),
    path("tickets/files/<int:pk>/picture/<slug:size>/", files.picture, name="ticket-picture"),
    path("tickets/messages/<int:message>/pictures/<int:number>/", files.far_picture, name="ticket-far-picture"),
    path("tickets/messages/<int:message>/letter/", paper.letter, name="ticket-letter"),
    path("tickets/messages/<int:message>/letter/frame/", paper.frame, name="ticket-letter-frame"),
    path("tickets/messages/<int:message>/source/", paper.source, name="ticket-source"),
    path("write/", submit.submit, name="submit"),
    path("write/thanks/", submit.thanks, name="submit-thanks"),
]
