"""Outreach's addresses."""

from django.urls import path

from outreach.views import editor, pages, public

urlpatterns = [
    path("outreach/", pages.campaign_list, name="campaigns"),
    path("outreach/guards/", pages.guard_table, name="guards"),
    path("outreach/campaigns/new/", editor.campaign_edit, name="campaign-new"),
    path("outreach/campaigns/<int:pk>/", pages.campaign_detail, name="campaign"),
    path("outreach/campaigns/<int:pk>/edit/", editor.campaign_edit, name="campaign-edit"),
    path("outreach/campaigns/<int:pk>/who/", pages.campaign_who, name="campaign-who"),
    path("outreach/campaigns/<int:pk>/launch/", pages.campaign_launch, name="campaign-launch"),
    path("outreach/campaigns/<int:pk>/test/", pages.campaign_test, name="campaign-test"),
    *(
        path(f"outreach/campaigns/<int:pk>/{turn}/", pages.campaign_turn, {"turn": turn}, name=f"campaign-{turn}")
        for turn in pages.TURNS
    ),
    path("u/<str:token>", public.unsubscribe, name="unsubscribe"),
    path("u/<str:token>/undo", public.undo, name="unsubscribe-undo"),
    path("u/<str:token>/choices", public.choices, name="subscriptions"),
]
