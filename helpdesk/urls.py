"""Every address of the installation; apps are named by string only."""

from importlib.util import find_spec

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView


def room(module, prefix=""):  # until every room has its addresses
    return [path(prefix, include(module))] if find_spec(module) else []


urlpatterns = [
    path("", include("helpdesk.health")),
    path("", include("helpdesk.live.urls")),
    path("accounts/", include("allauth.urls")),
    path("", include("helpdesk.styleguide")),
    path("", include("helpdesk.rail")),
    *room("helpdesk.accounts.urls"),
    *room("helpdesk.customers.urls"),
    *room("helpdesk.knowledge.urls"),
    *room("helpdesk.mail.urls"),
    *room("outreach.urls"),
    *room("tickets.urls"),
    *room("helpdesk.customers.api_urls", "api/v1/"),
    *room("tickets.api_urls", "api/v1/"),
    path("api/v1/schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("api/v1/docs/", SpectacularSwaggerView.as_view(url_name="api-schema"), name="api-docs"),
]
