"""/ leads each to where they are at home: the team to the inbox, everybody else to the form."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from helpdesk.accounts.access import public


@public
@never_cache
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    return redirect("inbox" if request.user.is_authenticated else "submit")


urlpatterns = [path("", home, name="home")]
