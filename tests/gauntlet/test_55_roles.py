"""Who may do what, for every route: one table, and a route that is missing from it fails.

Each letter is one person, in this order: a stranger, a light agent, an agent, an agent who reads the tickets of another
team only, a manager, an admin, an API token without any scope.
`+` is let in, `-` is asked to sign in, `x` is refused, `0` finds nothing there.
"""

import logging

import pytest
from django.http import HttpResponse

from helpdesk.accounts.models import ApiToken, Scope
from tests.gauntlet.world import World, routes, undone

pytestmark = pytest.mark.django_db

TABLE = {
    "+ + + + + + +": """
        GET home GET healthz GET mail-hook GET styleguide GET submit POST submit GET submit-thanks
        GET submit-form POST submit-form
        GET unsubscribe POST unsubscribe POST unsubscribe-undo GET subscriptions POST subscriptions
        GET api-schema GET api-docs
        GET account_login POST account_login GET account_logout POST account_logout GET account_inactive
        GET account_signup POST account_signup GET account_email_verification_sent
        GET account_reset_password POST account_reset_password GET account_reset_password_done
        GET account_reset_password_from_key POST account_reset_password_from_key GET account_reset_password_from_key_done
        GET account_confirm_email""",
    # whoever it is, it is not the provider
    "x x x x x x x": "POST mail-hook",
    # done, and from there to where one signs in: all but its owner
    "- - + - - - -": "POST account_confirm_email",
    "- + + + + + -": """
        GET live GET rail GET palette GET inbox GET inbox-view GET customers GET customer GET customer-consents GET customer-mail
        GET companies GET company
        GET knowledge GET answer GET incidents GET notifications POST notifications-read POST own-zone GET views POST view-in-rail
        GET account_reauthenticate POST account_reauthenticate GET account_email POST account_email
        GET account_change_password POST account_change_password GET account_set_password POST account_set_password
        GET account_confirm_login_code POST account_confirm_login_code
        GET mfa_index GET mfa_authenticate POST mfa_authenticate GET mfa_reauthenticate POST mfa_reauthenticate
        GET mfa_activate_totp POST mfa_activate_totp GET mfa_generate_recovery_codes POST mfa_generate_recovery_codes""",
    # nobody has a second factor here that could be switched off or looked at
    "- 0 0 0 0 0 -": """
        GET mfa_deactivate_totp POST mfa_deactivate_totp GET mfa_view_recovery_codes GET mfa_download_recovery_codes""",
    "- x + + + + -": """
        GET customer-add POST customer-add GET customer-edit POST customer-edit POST customer-consent POST address-suppress
        GET company-edit POST company-edit
        GET answer-add POST answer-add GET answer-edit POST answer-edit POST answer-archive POST answer-restore
        GET campaigns GET campaign GET campaign-who GET guards GET blocked POST unblock GET who GET who-team
        GET view-add POST view-add""",
    # one's own, or anybody's for managers: the row is about the agent
    "- x + x + + -": """
        GET who-person POST who-person POST presence POST absence-remove POST hand-back""",
    # a ticket, and the mail of one, is not there for who may not read it
    "- + + 0 + + -": """
        GET ticket POST ticket-draft GET ticket-answers POST ticket-insert GET ticket-sent GET ticket-file
        GET ticket-file-look GET ticket-picture GET ticket-far-picture
        GET ticket-print GET ticket-letter GET ticket-letter-frame GET ticket-rules
        GET outgoing GET outgoing-body""",
    "- x + 0 + + -": """
        GET ticket-properties POST ticket-change POST ticket-compose POST ticket-unsend POST ticket-resend
        POST ticket-unsolve POST ticket-block POST ticket-suggestion GET ticket-escalate POST ticket-escalate
        POST outgoing-decide""",
    # a shared view is there to be changed by those who manage them
    "- x 0 0 + + -": """
        GET view POST view POST view-remove POST view-restore POST view-place""",
    "- x x x + + -": """
        POST address-lift GET segments GET segment-add POST segment-add GET segment POST segment
        GET subscriptions-set-up GET subscription-add POST subscription-add GET subscription POST subscription
        GET calendars GET calendar-add POST calendar-add GET calendar POST calendar GET calendar-remove POST calendar-remove
        GET calendar-regions
        POST holiday-add POST holidays-country POST holidays-feed POST holidays-remove POST holiday
        GET incident-add POST incident-add GET incident POST incident POST incident-resolve POST incident-reopen
        GET policies GET policy-add POST policy-add GET policy POST policy POST policy-move POST policy-switch
        GET policy-remove POST policy-remove POST policy-restore
        GET clocks GET clocks-recount
        GET forms GET form-add POST form-add GET form POST form GET form-preview
        GET topic-add POST topic-add GET topic POST topic POST topic-archive POST topic-restore
        GET suggestions POST suggestions-learn POST suggestions-trust
        GET rules GET rule-add POST rule-add GET rule POST rule GET rule-met POST rule-switch POST rule-move
        GET rule-remove POST rule-remove POST rule-restore
        GET rules-export POST rules-again GET rules-import POST rules-import
        GET escalation-paths GET escalation-path-add POST escalation-path-add GET escalation-path POST escalation-path
        GET escalation-path-remove POST escalation-path-remove POST escalation-path-restore
        GET operations GET mail-ignored POST mail-by-hand POST mail-read-again POST events-deliver-again
        GET campaign-new POST campaign-new GET campaign-edit POST campaign-edit POST campaign-launch POST campaign-test
        POST campaign-pause POST campaign-resume POST campaign-finish POST campaign-cancel""",
    "- x x x x + -": """
        GET people GET person-add POST person-add GET person POST person POST person-shut-out POST person-let-in
        POST person-invite GET teams GET team-add POST team-add GET team POST team
        GET team-remove POST team-remove POST team-restore
        GET skills GET skill-add POST skill-add GET skill POST skill GET skill-remove POST skill-remove
        GET tokens GET token-add POST token-add POST token-revoke GET audit
        GET webhooks GET webhook-add POST webhook-add GET webhook POST webhook POST webhook-rotate POST webhook-retry
        GET fields GET field-add POST field-add GET field POST field GET field-remove POST field-remove POST field-restore
        GET mailboxes GET mailbox-add POST mailbox-add GET mailbox POST mailbox GET mailbox-signed-in POST mail-switch
        GET mail-source POST mail-discard GET ticket-source""",
    # the API, and the metrics, know tokens and no sessions
    "- - - - - - x": """
        GET metrics GET api-customers POST api-customers PUT api-customers GET api-customer GET api-consents POST api-consents
        POST api-events POST api-events-batch GET api-tickets POST api-tickets GET api-ticket PATCH api-ticket
        GET api-ticket-messages POST api-ticket-messages""",
}
SCOPES = {  # the one scope that opens each door of the API
    "customers:read": "GET api-customers GET api-customer GET api-consents",
    "customers:write": "POST api-customers PUT api-customers POST api-consents",
    "events:write": "POST api-events POST api-events-batch",
    "tickets:read": "GET api-tickets GET api-ticket GET api-ticket-messages",
    "tickets:write": "POST api-tickets PATCH api-ticket POST api-ticket-messages",
}
ANSWERS = {
    "ticket-insert": lambda w: {"answer": w.answer.pk},
    "view-place": lambda w: {"place": 1},
}  # without which there is nothing behind the address


def doors(text: str) -> list[tuple[str, str]]:
    words = text.split()
    return list(zip(words[::2], words[1::2], strict=True))


def letter(answer: HttpResponse) -> str:
    if answer.status_code == 401 or "/accounts/login/" in answer.headers.get("Location", ""):
        return "-"
    if answer.status_code == 503:  # a probe says what is wrong to everybody
        return "+"
    return {403: "x", 404: "0"}.get(answer.status_code, "+" if answer.status_code < 500 else str(answer.status_code))


def ways(world: World, api: bool) -> set[tuple[str, str]]:
    """What there is to ask for. allauth's views take a PUT for a POST, and HEAD is GET."""
    return {
        (method, route.name)
        for route in routes()
        if route.is_api or not api
        for method in route.methods(world)
        if method != "HEAD" and (method != "PUT" or route.is_api)
    }


def test_each_role_at_each_route(world: World) -> None:
    logging.disable(logging.ERROR)
    expected = {door: row for row, text in TABLE.items() for door in doors(text)}
    there = ways(world, api=False)
    assert there - set(expected) == set(), "say in TABLE who may"
    assert set(expected) - there == set(), "these are gone"
    wrong = {}
    people = [None, world.light, world.agent, world.other, world.manager, world.admin]
    for method, name in sorted(there):
        address, data = world.url(name), ANSWERS.get(name, lambda w: {})(world)
        letters = []
        for person in [*people, world.powerless]:
            token = isinstance(person, str)
            headers = {"authorization": f"Bearer {person}"} if token else {}
            browser = world.browser(None if token else person)
            with undone():
                if method in ("GET", "POST"):
                    answer = getattr(browser, method.lower())(address, data, headers=headers)
                else:
                    answer = browser.generic(method, address, headers=headers)
                letters.append(letter(answer))
        if " ".join(letters) != expected[method, name]:
            wrong[f"{method} {name}"] = (" ".join(letters), "and not", expected[method, name])
    assert wrong == {}


def test_each_scope_opens_its_own_doors_and_no_other(world: World) -> None:
    logging.disable(logging.ERROR)
    needed = {door: scope for scope, text in SCOPES.items() for door in doors(text)}
    there = ways(world, api=True)
    assert there == set(needed), "say in SCOPES which one it needs"
    wrong = {}
    for scope in Scope.values:
        _token, bearer = ApiToken.objects.issue(scope, [scope])
        for method, name in sorted(there):
            with undone():
                answer = world.browser().generic(method, world.url(name), headers={"authorization": f"Bearer {bearer}"})
            if (letter(answer) == "+") != (needed[method, name] == scope):
                wrong[f"{method} {name} with {scope}"] = answer.status_code
    assert wrong == {}
