"""The addresses of the admins' pages."""

from django.urls import path

from helpdesk.accounts import notification_views, views

urlpatterns = [
    path("people/", views.person_list, name="people"),
    path("people/new/", views.person_add, name="person-add"),
    path("people/<int:pk>/", views.person, name="person"),
    path("people/<int:pk>/out/", views.person_shut_out, name="person-shut-out"),
    path("people/<int:pk>/in/", views.person_let_in, name="person-let-in"),
    path("people/<int:pk>/invite/", views.person_invite, name="person-invite"),
    path("teams/", views.team_list, name="teams"),
    path("teams/new/", views.team, name="team-add"),
    path("teams/<int:pk>/", views.team, name="team"),
    path("tokens/", views.token_list, name="tokens"),
    path("tokens/new/", views.token_add, name="token-add"),
    path("tokens/<int:pk>/revoke/", views.token_revoke, name="token-revoke"),
    path("notifications/", notification_views.notification_list, name="notifications"),
    path("notifications/read/", notification_views.read, name="notifications-read"),
    path("audit/", views.audit_log, name="audit"),
]
