"""Every address of the installation; apps are named by string only."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

urlpatterns = [
    path("", include("helpdesk.home")),
    path("", include("helpdesk.health")),
    path("", include("helpdesk.live.urls")),
    path("accounts/", include("allauth.urls")),
    path("", include("helpdesk.styleguide")),
    path("", include("helpdesk.rail")),
    path("", include("helpdesk.palette")),
    path("", include("helpdesk.accounts.urls")),
    path("", include("helpdesk.customers.urls")),
    path("", include("helpdesk.knowledge.urls")),
    path("", include("helpdesk.incidents.urls")),
    path("", include("helpdesk.mail.urls")),
    path("", include("outreach.urls")),
    path("", include("tickets.urls")),
    path("api/v1/", include("helpdesk.customers.api_urls")),
    path("api/v1/", include("tickets.api_urls")),
    path("api/v1/schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("api/v1/docs/", SpectacularSwaggerSplitView.as_view(url_name="api-schema"), name="api-docs"),
]

handler404 = "helpdesk.errors.not_found"
