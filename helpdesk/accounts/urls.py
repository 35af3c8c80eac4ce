"""The addresses of the admins' pages."""

from django.urls import path

from helpdesk.accounts import calendar_views, notification_views, views

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
    path("teams/<int:pk>/remove/", views.team_remove, name="team-remove"),
    path("teams/<int:pk>/restore/", views.team_restore, name="team-restore"),
    path("calendars/", calendar_views.calendar_list, name="calendars"),
    path("calendars/new/", calendar_views.calendar, name="calendar-add"),
    path("calendars/<int:pk>/", calendar_views.calendar, name="calendar"),
    path("calendars/<int:pk>/remove/", calendar_views.calendar_remove, name="calendar-remove"),
    path("calendars/<int:pk>/regions/", calendar_views.regions, name="calendar-regions"),
    path("calendars/<int:pk>/day/", calendar_views.holiday_add, name="holiday-add"),
    path("calendars/<int:pk>/country/", calendar_views.holidays_add, {"kind": "country"}, name="holidays-country"),
    path("calendars/<int:pk>/feed/", calendar_views.holidays_add, {"kind": "feed"}, name="holidays-feed"),
    path("calendars/sources/<int:pk>/remove/", calendar_views.source_remove, name="holidays-remove"),
    path("calendars/holidays/<int:pk>/", calendar_views.holiday_turn, name="holiday"),
    path("tokens/", views.token_list, name="tokens"),
    path("tokens/new/", views.token_add, name="token-add"),
    path("tokens/<int:pk>/revoke/", views.token_revoke, name="token-revoke"),
    path("notifications/", notification_views.notification_list, name="notifications"),
    path("notifications/read/", notification_views.read, name="notifications-read"),
    path("audit/", views.audit_log, name="audit"),
]
