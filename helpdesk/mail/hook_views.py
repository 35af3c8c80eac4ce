"""What providers post to us: mail that came, and what became of mail of ours. Public addresses; each proves who it is."""

import structlog
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from helpdesk.accounts.access import public
from helpdesk.mail import arrivals, hooks, inbox, tracking

log = structlog.get_logger(__name__)


@public
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def hook(request: HttpRequest, provider: str, part: str) -> HttpResponse:
    """200 means committed: a mail is kept, an event is heeded. 503 asks the provider to come again; a second copy of
    what it posts changes nothing. 404 where no secret is set, 401 and 403 for whoever is not the provider."""
    try:
        if request.method != "POST":  # some look whether there is a door before they use it
            hooks.door(provider, part)
            return HttpResponse()
        knock = hooks.admit(provider, part, request)
        work = tracking.heed if part == "tracking" else arrivals.keep
        return _plain(200, work(knock))
    except hooks.NoDoor as error:
        raise Http404 from error
    except hooks.Refused as error:
        log.warning("hook_refused", provider=provider, part=part, why=str(error))
        answer = _plain(401 if error.challenge else 403, "This is not proved to come from the provider.")
        if error.challenge:  # Amazon sends its credentials only when it is asked
            answer["WWW-Authenticate"] = 'Basic realm="webhooks"'
        return answer
    except hooks.TooMuch:
        log.warning("hook_too_large", provider=provider, part=part)
        return _plain(413, "This is more than we take.")
    except hooks.Misdirected as error:
        log.warning("hook_misdirected", provider=provider, part=part, why=str(error))
        return _plain(400, str(error))
    except (*inbox.AWAY, hooks.NotNow) as error:
        log.warning("hook_not_now", provider=provider, part=part, error=f"{type(error).__name__}: {error}"[:300])
        answer = _plain(503, "Not now. Try again later.")
        answer["Retry-After"] = "60"
        return answer


def _plain(status: int, words: str) -> HttpResponse:
    return HttpResponse(f"{words}\n", status=status, content_type="text/plain; charset=utf-8")
