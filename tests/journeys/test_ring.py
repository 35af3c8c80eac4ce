"""The whole ring, once round: he writes, we answer, he answers, it is solved, we write, he answers, he unsubscribes."""

import re
import urllib.request
from datetime import timedelta
from email.utils import parseaddr

import pytest

from helpdesk.customers import consent
from helpdesk.customers.models import Customer
from helpdesk.lib import dates
from helpdesk.mail.models import IncomingMail, Outgoing, State
from outreach.models import Campaign
from tickets.models import Message, Ticket

pytestmark = pytest.mark.django_db(transaction=True)
BODY = """Hello {{ customer.first_name | default: "there" }},

your ticket #{{ event.number }} is solved. Did it stay solved? Answer this mail if not.
"""


def wait(page, what):
    page.wait_for_load_state("networkidle")
    page.wait_for_selector(f"text={what}")


def answer_address(letter):
    return parseaddr(letter.message["Reply-To"])[1]


def test_once_round(browsers, post, drain, sink, support, tips, ana, mia, settings):
    settings.UNDO_SEND = 0
    # Ben writes by the form; a double click is one ticket
    ben = browsers()
    ben.goto("/write/")
    ben.wait_for_timeout(2100)  # nobody fills in the form faster
    ben.get_by_label("Your name").fill("Ben Carter")
    ben.get_by_label("Your email").fill("ben@carter.example")
    ben.get_by_label("In a few words").fill("Export stops")
    ben.get_by_label("What happened").fill("Since Monday the file ends at line 10,000.")
    ben.get_by_label("Files").set_input_files({"name": "export.csv", "mimeType": "text/csv", "buffer": b"a,b\n1,2\n"})
    ben.get_by_role("button", name="Send").dblclick()
    ben.wait_for_url("**/write/thanks/**")
    drain()
    ticket = Ticket.objects.get()
    assert ticket.messages.get().attachments.get().name == "export.csv"
    confirmation = sink.to("ben@carter.example")[0]
    assert "10,000" not in confirmation.text, "the confirmation repeats nothing of what was typed"
    sink.clear()

    # Ana sees it in the inbox, keeps a note, answers
    desk = browsers(ana)
    desk.get_by_text("Export stops").first.click()
    wait(desk, "Since Monday the file ends")
    desk.locator(".composer").get_by_text("Note", exact=True).click()
    desk.locator(".composer textarea").fill("Known limit, fix on Thursday.")
    desk.get_by_role("button", name="Add note").click()
    wait(desk, "Known limit, fix on Thursday.")
    desk.locator(".composer").get_by_text("Reply", exact=True).click()
    desk.locator(".composer textarea").fill("Please use *Export, by month* until Thursday.")
    desk.get_by_role("button", name="Send", exact=True).dblclick()
    wait(desk, "until Thursday")
    drain()
    (reply,) = sink
    assert "Export, by month" in reply.text and "Known limit" not in reply.raw.decode()
    assert reply.message["Subject"].startswith("Re: Export stops") and reply.message["Message-ID"]
    assert Outgoing.objects.get(kind="ticket.reply").state == State.ACCEPTED

    # solved; Ben answers by mail: the same ticket, open again
    desk.reload()
    desk.get_by_role("button", name="Solve").click()
    desk.wait_for_timeout(500)
    ticket.refresh_from_db()
    assert ticket.status == "solved"
    post(
        answer_address(reply),
        reply.message["Subject"],
        "By month fails as well.\n\nOn Monday you wrote:\n> Please use",
        In_Reply_To=reply.message["Message-ID"],
        Message_ID="<1@carter.example>",
    )
    post(
        answer_address(reply),
        reply.message["Subject"],
        "By month fails as well.\n\nOn Monday you wrote:\n> Please use",
        In_Reply_To=reply.message["Message-ID"],
        Message_ID="<1@carter.example>",
    )
    drain()
    ticket.refresh_from_db()
    assert ticket.status == "open" and Ticket.objects.count() == 1, "threaded and reopened, and delivered twice it is one"
    assert ticket.messages.filter(kind=Message.Kind.CUSTOMER).count() == 2
    desk.goto(f"/tickets/{ticket.number}/")
    wait(desk, "By month fails as well.")

    # Mia sets up a campaign on ticket.solved, one day later
    outreach = browsers(mia)
    outreach.goto("/outreach/campaigns/new/")
    outreach.get_by_label("Name", exact=True).fill("Stayed solved?")
    outreach.get_by_label("Subscription").select_option(label="Product tips")
    outreach.get_by_label("It starts when this happens").fill("ticket.solved")
    outreach.get_by_label("Once for each").fill("ticket")
    outreach.locator("#id_quiet_from").fill("")
    outreach.locator("#id_quiet_until").fill("")
    outreach.get_by_label("Subject").fill("Did it stay solved?")
    outreach.get_by_label("Text", exact=True).fill(BODY)
    outreach.get_by_label("When something is not known").fill("event.number: of yours")
    outreach.get_by_role("button", name="Save and read it").click()
    wait(outreach, "Did it stay solved?")
    outreach.get_by_role("button", name=re.compile("Start with")).dblclick()
    wait(outreach, "It runs")
    assert Campaign.objects.get().status == "running"

    # Ana solves; the campaign waits a day, then leaves by the same outbox
    sink.clear()
    desk.get_by_role("button", name="Solve").dblclick()
    desk.wait_for_timeout(500)
    drain()
    planned = Outgoing.objects.get(campaign_id__isnull=False)
    assert planned.state == State.PENDING and not sink
    with dates.moved(by=timedelta(days=1, minutes=1)):
        drain()
        (letter,) = sink
        assert letter.recipients == ["ben@carter.example"] and f"#{ticket.number} is solved" in letter.text
        assert letter.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert settings.POSTAL_ADDRESS in letter.text

        # Ben answers the campaign: a new ticket that knows it and shows what he received
        post(
            answer_address(letter),
            "Re: Did it stay solved?",
            "Not quite: the header line is missing.",
            In_Reply_To=letter.message["Message-ID"],
            Message_ID="<2@carter.example>",
        )
        drain()
        joined = Ticket.objects.get(campaign_id=Campaign.objects.get().pk)
        assert joined.pk != ticket.pk and joined.outgoing_id == planned.pk
        desk.goto(f"/tickets/{joined.number}/")
        wait(desk, "We wrote first")
        wait(desk, "Not quite: the header line is missing.")

        # one click, no cookies, no login: he gets no more of it
        address = letter.message["List-Unsubscribe"].strip("<>")
        before = consent.allowed([(ticket.requester_id, tips.pk)])
        with urllib.request.urlopen(address) as page:
            assert page.status == 200 and consent.allowed([(ticket.requester_id, tips.pk)]) == before, "GET changes nothing"
        for _ in range(2):
            request = urllib.request.Request(address, data=b"List-Unsubscribe=One-Click", method="POST")
            with urllib.request.urlopen(request) as done:
                assert done.status == 200 and done.url == address and "Set-Cookie" not in done.headers
        assert consent.allowed([(ticket.requester_id, tips.pk)]) == set()

    # his page tells both halves, and every mail that came has its end
    desk.goto(f"/customers/{Customer.objects.get().pk}/")
    for line in ("Stayed solved?", "Export stops"):
        wait(desk, line)
    assert set(IncomingMail.objects.values_list("state", flat=True)) == {"ticketed"}
    assert Outgoing.objects.filter(campaign_id__isnull=False).count() == 1
