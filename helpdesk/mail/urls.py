"""Mail's addresses."""

from django.urls import path

from helpdesk.mail import hook_views, mailbox_views, views, webhook_views

urlpatterns = [
    path("hooks/mail/<slug:provider>/<slug:part>/", hook_views.hook, name="mail-hook"),
    path("mailboxes/", mailbox_views.mailboxes, name="mailboxes"),
    path("mailboxes/new/", mailbox_views.mailbox, name="mailbox-add"),
    path("mailboxes/signed-in/", mailbox_views.signed_in, name="mailbox-signed-in"),
    path("mailboxes/<int:pk>/", mailbox_views.mailbox, name="mailbox"),
    path("webhooks/", webhook_views.webhook_list, name="webhooks"),
    path("webhooks/new/", webhook_views.webhook, name="webhook-add"),
    path("webhooks/<int:pk>/", webhook_views.webhook, name="webhook"),
    path("webhooks/<int:pk>/rotate/", webhook_views.rotate, name="webhook-rotate"),
    path("webhooks/deliveries/<int:pk>/retry/", webhook_views.retry, name="webhook-retry"),
    path("outgoing/<int:pk>/", views.outgoing, name="outgoing"),
    path("outgoing/<int:pk>/body/", views.body, name="outgoing-body"),
    path("outgoing/<int:pk>/<slug:verb>/", views.decide, name="outgoing-decide"),
    path("customers/<int:pk>/mail/", views.customer_mail, name="customer-mail"),
    path("operations/", views.stuck, name="operations"),
    path("operations/switch/<str:turn>/", views.switch, name="mail-switch"),
    path("operations/mail/ignored/", views.ignored, name="mail-ignored"),
    path("operations/mail/by-hand/", views.take_by_hand, name="mail-by-hand"),
    path("operations/mail/discard/", views.discard, name="mail-discard"),
    path("operations/mail/<int:pk>/source/", views.source, name="mail-source"),
    path("operations/mail/again/", views.read_again, name="mail-read-again"),
    path("operations/events/again/", views.deliver_again, name="events-deliver-again"),
]
